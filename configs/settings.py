"""Every setting: its name, its default, its description and the reason for the default.

A process reads each setting once, at its start, from the environment variable OVSEG_<NAME> (`redis_url` is
OVSEG_REDIS_URL). A wrong value stops the process with the name of the setting and what is allowed. Two groups of
variables are not settings: credentials for object storage, which boto3 finds (AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY, ~/.aws, an instance role), and those that the library reads with or without the service, which
`ovseg_core.environment` lists.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from configs import certificate_files, s3_names
from configs import webhook_secret as secrets
from configs import webhook_signing_key as signing_keys
from configs.cores import Cores
from configs.host_list import HostPatterns, Origins, TrustedHosts
from configs.redis_address import RedisUrl
from configs.s3_sources import S3Sources, Source
from ovseg_core import http_address

MEGABYTE = 1_000_000
BEATS_PER_LEASE = 3

HttpAddress = Annotated[str, AfterValidator(http_address.checked)]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="OVSEG_",
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,  # the value may be a secret
        allow_inf_nan=False,  # some durations are converted to whole seconds
    )

    # Where things are
    redis_url: RedisUrl = Field(
        default="redis://127.0.0.1:6379/0",
        repr=False,  # it may hold a password
        description="URL of Redis or Valkey: redis://, rediss:// (TLS; the server's certificate and host name are "
        "verified) or unix:///path?db=0. It holds jobs and queues, so run it with appendonly yes and maxmemory-policy "
        "noeviction.",
    )
    redis_ca_file: Path | None = Field(
        default=None,
        description="File with certificates (PEM) of authorities that may sign Redis's certificate, in addition to "
        "those that the system trusts.",
    )
    redis_key_file: Path | None = Field(
        default=None,
        description="File with the key (PEM, not encrypted) of OVSEG_REDIS_CERT_FILE, if the key is not in that file.",
    )
    redis_cert_file: Path | None = Field(
        default=None,
        validate_default=True,  # to report a key without a certificate
        description="File with our own certificate (PEM), for a Redis that demands one from its clients.",
    )
    redis_prefix: str = Field(
        default="ovseg:", description="Prefix of every Redis key, so that others can share the server."
    )
    valkey_megabytes: int = Field(
        default=2000,
        ge=16,
        description="Memory of the Valkey that `ovseg up` starts, in megabytes (16 or more). Submissions are refused "
        "while nine tenths of it are in use. 64 images of the largest size that wait for their upload to storage take "
        "1,300 MB.",
    )
    ephemeral_megabytes: int = Field(
        default=200,
        ge=1,
        description="Memory of Redis for the images of ephemeral jobs that have not ended, in megabytes; as much again "
        "for the results of those that ended within the last minute. Further images are refused with `queue_full`; the "
        "oldest results make room for new ones. If there are several tenants, the images of each may take half.",
    )
    kept_results_megabytes: int = Field(
        default=16,
        ge=0,
        description="Memory of Redis for small results (up to 64 kB each), in megabytes; 0: none. They are in storage, "
        "too. Redis keeps them for a minute, so that a client that waits for its result causes no request to storage.",
    )
    s3_endpoint_url: HttpAddress | None = Field(
        default=None, description="URL of the S3 server: SeaweedFS, MinIO, Ceph, R2. Unset: Amazon S3."
    )
    s3_public_endpoint_url: HttpAddress | None = Field(
        default=None,
        description="URL by which clients reach the S3 server, if it differs from OVSEG_S3_ENDPOINT_URL. A presigned "
        "URL is valid only for the host that it names.",
    )
    s3_bucket: s3_names.Bucket = Field(default="ovseg", description="Bucket for inputs and results. It must exist.")
    s3_region: s3_names.Region | None = Field(
        default=None,
        description="Region that requests to S3 are signed for. Unset: the region in AWS_REGION, "
        "AWS_DEFAULT_REGION or the profile in ~/.aws/config, in this order, and us-east-1 without any.",
    )

    s3_sources: S3Sources = Field(
        default=(),
        description="Buckets, separated by commas, whose objects requests may name as images, such as "
        "`photos,scans/2026@acme`: a bucket, perhaps with a prefix of the keys, and after @ the tenant that may read "
        "it (`*`: every tenant; without @ only `default`). Workers read them, with the same server and credentials as "
        "OVSEG_S3_BUCKET, which cannot be listed. Gateways and workers need the same list. Empty: none.",
    )

    # What a request may be
    max_body_bytes: int = Field(
        default=32 * MEGABYTE,
        gt=0,
        description="Largest body of a request, in bytes (> 0). An image of 20 MB has 27 MB in base64.",
    )
    max_image_bytes: int = Field(
        default=20 * MEGABYTE,
        gt=0,
        description="Largest image file, uploaded or fetched, in bytes (> 0). A JPEG of 48 megapixels has 10 to 20 MB.",
    )
    max_image_pixels: int = Field(
        default=80_000_000,
        gt=0,
        le=178_956_970,  # Pillow refuses larger images
        description="Largest image, in pixels (width times height, at most 178,956,970). 80 million pixels take 240 MB "
        "in a worker, as RGB.",
    )
    decode_seconds: float = Field(
        default=10.0,
        gt=0,
        description="CPU time that a worker spends on decoding one image, in seconds (> 0); the limit by the clock is "
        "ten times as long. The slowest valid files, of 80 megapixels, take 1 to 5 s; a malicious one could take an "
        "hour.",
    )
    max_prompts: int = Field(default=1000, gt=0, description="Maximum number of prompts in one job (> 0).")
    max_points: int = Field(default=100, gt=0, description="Maximum number of points in one prompt (> 0).")
    max_total_points: int = Field(
        default=10_000,
        gt=0,
        description="Maximum number of points in one job (> 0). 10,000 take half a megabyte in Redis, and as much in "
        "each list that contains the job.",
    )
    max_mask_bytes: int = Field(
        default=1_000_000,
        gt=0,
        description="Maximum size of the masks that are prompts of one job, in bytes of their RLE together (> 0). The "
        "RLE of one mask has 1 to 20 kB. Redis keeps it with the job, and to check 1 MB takes the gateway a third of a "
        "second.",
    )
    max_everything_points: int = Field(
        default=10_000,
        gt=0,
        description="Maximum number of points that everything mode clicks in one job, in the image and all its crops "
        "(> 0). The usual grid of 32 x 32 is 1,024 points, and with one layer of crops 5,120. 10,000 keep one CPU core "
        "busy for a few minutes with SAM's decoder, and take half a megabyte in Redis if they are given as "
        "`point_grids`.",
    )
    max_everything_encodes: int = Field(
        default=21,
        gt=0,
        description="Maximum number of times that everything mode encodes the image and its crops in one job (> 0). A "
        "layer of crops has four times as many as the layer before it: 1 layer needs 5 encodings, 2 need 21, 3 need "
        "85. With SAM-H on two cores 21 take several minutes.",
    )
    max_everything_masks: int = Field(
        default=1000,
        gt=0,
        description="Maximum number of masks in the result of an everything job (> 0), as many as `max_prompts` allows "
        "other jobs. If more are found, those with the highest predicted IoU times stability score are kept, and "
        "`masks_dropped` of the result has the number of the others. SAM finds 50 to 300 in a photo.",
    )
    max_phrases: int = Field(
        default=400,
        gt=0,
        description="Maximum number of phrases in one job (> 0): Objects365 has 365 names. A detector searches for "
        "about 60 at a time, which takes several seconds on a CPU.",
    )
    max_metadata_bytes: int = Field(
        default=4096,
        gt=0,
        description="Largest `metadata` of a job, in bytes (> 0): the client's own JSON in UTF-8, stored in Redis.",
    )
    max_queued_jobs: int = Field(
        default=100_000,
        gt=0,
        description="Maximum number of jobs that wait for a worker (> 0); further submissions are refused. 100,000 "
        "jobs of 2 kB take 200 MB of Redis, and a worker that runs 10 jobs per second needs three hours for them.",
    )
    max_queued_jobs_per_tenant: int | None = Field(
        default=None,
        gt=0,
        description="Maximum number of queued jobs of each tenant (> 0) that has no limit of its own; further "
        "submissions are refused. Unset: half of OVSEG_MAX_QUEUED_JOBS if OVSEG_AUTH is required, so that no tenant "
        "fills the queue for all others; without keys there is one tenant and no such limit.",
    )
    max_stored_bytes_per_tenant: int | None = Field(
        default=None,
        gt=0,
        description="Maximum number of bytes of the images, requests and results that each tenant has stored (> 0), if "
        "it has no limit of its own; further submissions are refused until jobs are deleted. Jobs that are accepted "
        "already still store their results. Unset: no limit, because the service does not know its storage's size.",
    )
    max_batch_items: int = Field(
        default=100_000,
        gt=0,
        description="Maximum number of items of a batch (> 0). An item that waits takes about 75 bytes of Redis, and "
        "2 kB from the time when its job is made.",
    )
    max_open_batches: int = Field(
        default=20,
        gt=0,
        description="Maximum number of batches of each tenant that have not completed (> 0); further ones are refused. "
        "20 batches of 100,000 items take 150 MB of Redis while they wait.",
    )
    max_uploads: int = Field(
        default=100_000,
        gt=0,
        description="Maximum number of uploads of each tenant (> 0) that have not expired; further ones are refused. "
        "100,000 are the items of a batch, and take 40 MB of Redis.",
    )
    upload_seconds: int = Field(
        default=24 * 3600,
        ge=60,
        le=604_800,
        description="How long an upload can be sent and used, in seconds (60 to 604,800, S3's maximum). Uploads that a "
        "batch names can be used for a week.",
    )
    max_manifest_bytes: int = Field(
        default=200 * MEGABYTE,
        gt=0,
        description="Largest manifest of a batch that is an upload, in bytes (> 0). 100,000 items of 300 bytes have 30 "
        "MB.",
    )
    default_model: str = Field(
        default="SAM-Lite", description="Model of requests that name none. SAM-Lite needs no download."
    )
    default_detector: str = Field(
        default="GroundingDINO-T",
        description="Detector of requests with text prompts that name none. Its weights must be fetched: "
        "`ovseg models pull`.",
    )
    preload_detector: bool = Field(
        default=False,
        description="Whether each worker loads the default detector when it starts, and runs it once. Otherwise the "
        "first job with text prompts waits for that: some seconds, or half a minute on a machine that has never "
        "prepared this detector. It takes more than 2 GB of memory, also in a worker that gets no such jobs.",
    )
    paddlex_visualize: bool = Field(
        default=True,
        description="Whether PaddleX's routes draw the result if the request does not specify it. PaddleX's name for "
        "it is Serving.visualize.",
    )

    idempotency_seconds: int = Field(
        default=24 * 3600,
        gt=0,
        description="How long an Idempotency-Key is remembered, in seconds (> 0); the id of an erased job is refused "
        "for the same time. A day is common for APIs, and longer than a client's retries.",
    )

    # Who may use the service
    auth: Literal["required", "off"] | None = Field(
        default=None,
        description="required: every request needs an API key, except for health checks. off: every client that "
        "reaches the gateway may do everything. Unset: off if the gateway listens on loopback; elsewhere it refuses to "
        "start until this is decided.",
    )
    old_key_seconds: float = Field(
        default=24 * 3600.0,
        ge=0,
        description="How long the old secret of an API key also works after a rotation, in seconds (0 or more). A day "
        "is time to give the new key to every client. 0: not at all.",
    )
    requests_per_minute: int | None = Field(
        default=None,
        gt=0,
        description="Maximum number of requests of an API key in a minute (> 0), if the key has no limit of its own. "
        "A wait counts as one, health checks do not count. Without keys, all clients together have this limit. Unset: "
        "no limit, because an honest client may send hundreds of requests per second, and to count one takes two calls "
        "of Redis. For people who click, 600 is generous.",
    )
    prompts_per_minute: int | None = Field(
        default=None,
        gt=0,
        description="Maximum number of prompts that an API key may submit in a minute (> 0), if the key has no limit "
        "of its own; in everything mode each point of the grid is a prompt, usually 1,024. Without keys, all clients "
        "together have this limit. Unset: no limit, because how many prompts a service can answer depends on its "
        "workers and models.",
    )
    metrics_without_key: bool = Field(
        default=False,
        description="Whether /metrics needs no API key while OVSEG_AUTH is required. If not, it needs an admin's key, "
        "because its numbers are about all callers.",
    )
    cors_origins: Origins = Field(
        default=(),
        description="Origins of web pages, separated by commas, that may use the API from a browser (CORS): "
        "`https://app.example.com`, with a port if it is not the usual one. Empty: a page of another site can read "
        "nothing. Without API keys, such a page may do everything.",
    )

    # Hosts that clients name, and webhooks
    allowed_private_hosts: TrustedHosts = Field(
        default=(),
        description="Hosts, separated by commas, that image and webhook URLs may name although they are private, use "
        "another port than 80 or 443, or, for webhooks, no https: `minio`, `10.0.0.5`, `::1`; `.internal.example` "
        "for every host below it; `10.0.0.0/8` for a network, also if a name resolves into it. Each may end with a "
        "port: `minio:9000`, `[::1]:9000`. Empty: no such host is allowed.",
    )
    fetch_timeout_seconds: float = Field(
        default=20.0,
        gt=0,
        description="Longest time to fetch an image by URL, in seconds (> 0), from resolving its host to the last "
        "byte, including redirects.",
    )
    presigned_url_seconds: int = Field(
        default=3600,
        ge=60,
        le=604_800,
        description="How long the presigned URLs in a job object are valid at least, in seconds (60 to 604,800, S3's "
        "maximum). A GET of the job returns new ones; the URLs of the same quarter of an hour are equal.",
    )
    webhook_secret: str | None = Field(
        default=None,
        repr=False,
        description="Secret that signs webhooks: whsec_ and 24 to 64 random bytes in base64; `ovseg webhook-secret` "
        "prints a new one. It signs for the tenant `default`; other tenants have secrets of their own. Unset: jobs "
        "with a webhook are refused, because an unsigned webhook cannot be trusted.",
    )
    webhook_signing_key: str | None = Field(
        default=None,
        repr=False,
        description="Private key (ed25519) that also signs webhooks, so that a receiver needs only a public key. "
        "whsk_ and 32 random bytes in base64; `ovseg webhook-signing-key` prints a new one. The same for gateways and "
        "senders. Several keys, separated by commas, all sign: to rotate, put a new key before the old one, and remove "
        "the old one later. The keys of tenants other than `default` are computed from it. Unset: webhooks have no "
        "such signature.",
    )
    image_headers_secret: str | None = Field(
        default=None,
        min_length=32,
        repr=False,
        description="Secret that encrypts, in the records of jobs, the headers with which images are fetched, and in "
        "the records of webhook endpoints their headers: at least 32 characters, for example from `openssl rand "
        "-base64 32`; the same for gateways, workers and webhook senders. Unset: requests with such headers are "
        "refused. If it changes, jobs with headers that have not ended fail, and webhooks to endpoints with headers "
        "fail until the headers are set again.",
    )
    webhook_threads: int = Field(
        default=32,
        gt=0,
        description="Number of webhooks that one sender delivers at the same time (> 0). Its threads wait for "
        "receivers and cost little.",
    )
    webhook_threads_per_host: int = Field(
        default=4,
        gt=0,
        description="Number of webhooks that all senders together deliver to one host at a time (> 0). A receiver that "
        "hangs blocks this many threads until its first time-out, and one after that. It should be less than "
        "`webhook_threads`, to leave threads for the other receivers.",
    )
    webhook_old_secret_seconds: float = Field(
        default=24 * 3600.0,
        ge=0,
        description="How long the old secret of an endpoint also signs after a rotation, in seconds (0 or more). A day "
        "is time to give the new secret to every receiver. 0: not at all.",
    )
    max_webhook_endpoints: int = Field(
        default=20,
        gt=0,
        description="Maximum number of webhook endpoints of each tenant (> 0). Each adds one event to write and to "
        "deliver for every change of every job.",
    )
    webhook_timeout_seconds: float = Field(
        default=15.0,
        gt=0,
        description="Longest time of one attempt to deliver a webhook, in seconds (> 0), from resolving the receiver's "
        "host to the last byte of its answer.",
    )

    # The gateway
    gateway_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. The default can be reached only from this machine.",
    )
    gateway_port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 8080 is PaddleX's.")
    gateway_allowed_hosts: HostPatterns = Field(
        default=(),
        description="Hosts, separated by commas: `name`, `name:port`, or `.name` with all names below it. A request's "
        "Host header may name them, and their web pages (Origin header) may send requests that change something. "
        "Always allowed are the hosts localhost, 127.0.0.1 and [::1], and pages of the host that receives the request. "
        "Empty: a gateway on loopback allows no other Host, one on another address any Host. `*` allows any Host, but "
        "no further Origin.",
    )
    gateway_public_url: HttpAddress | None = Field(
        default=None,
        description="URL by which clients reach the gateway, such as https://segment.example.com: links to jobs in "
        "webhooks begin with it. Unset: these links are paths, such as /v1/jobs/car-1.",
    )
    gateway_processes: int = Field(
        default=1, gt=0, description="Number of the gateway's processes (> 0). More processes use more cores."
    )
    gateway_threads: int = Field(
        default=64,
        gt=0,
        description="Number of requests that one gateway process handles at the same time (> 0). It is more than the "
        "number of cores, because requests wait for Redis and storage. A held `wait` and a client that sends or reads "
        "slowly use no thread.",
    )
    gateway_drain_seconds: float = Field(
        default=0.0,
        ge=0,
        description="How long the gateway still answers after SIGTERM, in seconds (0 or more), while /readyz reports "
        "that it is stopping. Behind a load balancer, set the time that the load balancer needs to notice.",
    )
    max_wait_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Longest time that a GET with `wait` is held, in seconds (> 0). Proxies often disconnect after 60 "
        "s.",
    )
    max_streams: int = Field(
        default=2000,
        gt=0,
        description="Maximum number of event streams that are open at one gateway process (> 0); further ones are "
        "refused. A process also keeps two thirds of its connections (at most 6,144) for other clients.",
    )
    max_streams_per_key: int = Field(
        default=1000,
        gt=0,
        description="Maximum number of event streams of one API key that are open at one gateway process (> 0). "
        "Without keys all clients share it.",
    )
    paddlex_timeout_seconds: float = Field(
        default=300.0,
        gt=0,
        description="Longest time that PaddleX's synchronous routes wait for a result, in seconds (> 0). PaddleX's own "
        "clients wait 300 s.",
    )

    chat_timeout_seconds: float = Field(
        default=600.0,
        gt=0,
        description="Longest time that POST /v1/chat/completions waits for a result, in seconds (> 0). OpenAI's own "
        "clients wait 600 s.",
    )

    # One machine
    data_dir: Path | None = Field(
        default=None, description="Folder for all data of `ovseg up`. Unset: ~/.local/share/ovseg."
    )

    # A worker
    engine: Literal["auto", "openvino", "onnxruntime", "paddle"] = Field(
        default="auto",
        description="Engine that runs the networks. auto: on a CPU the first of openvino, onnxruntime and paddle that "
        "is installed and can run the model; on a GPU paddle. A model that the chosen engine cannot run uses that of "
        "auto.",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16", "int8"] = Field(
        default="auto",
        description="Numbers that the networks compute with. auto: bfloat16 on a CPU with AMX or AVX512-BF16, where "
        "images take half of the time or less and masks are nearly the same; float32 on other machines. float32: masks "
        "do not depend on the machine. int8: on CPUs with VNNI, for the image encoders of SAM-Lite and of models that "
        "`ovseg models quantize` was run on. bfloat16 and float16 on a GPU: for SAM's image encoder. A model that "
        "does not support the precision runs in float32. The job object contains the precision that was used.",
    )
    embedding_cache_megabytes: int = Field(
        default=512,
        ge=0,
        description="Memory for embeddings in each worker, in megabytes (0 or more). A later job with the same image "
        "and model uses the cached embedding. One takes 6 MB with SAM-Lite, 4 MB with SAM, 13 MB with SAM-HQ, 17 MB "
        "with SAM 2.1, and 19 MB (images up to 4:3) or 23 MB with a detector. Embeddings that only jobs in bulk use "
        "take at most half of it while others need space.",
    )
    shared_embeddings_megabytes: int = Field(
        default=4096,
        ge=0,
        description="Object storage for embeddings that workers share, in megabytes (0 or more), so that an image is "
        "encoded by one worker only. An embedding in float16 takes 3 MB with SAM-Lite, 2 MB with SAM, 6 MB with "
        "SAM-HQ, 8 MB with SAM 2.1. The least recently used embeddings are evicted. 0: workers share no embeddings.",
    )
    shared_embeddings_seconds: float = Field(
        default=24 * 3600.0,
        gt=0,
        description="A shared embedding that was not used for this time, in seconds (> 0), is deleted. It may outlive "
        "its erased job by the same time.",
    )
    device: str = Field(
        default="cpu",
        description="Device of a worker: cpu or gpu:N. The option --device sets it for one process.",
    )
    worker_cores: Cores = Field(
        default=(),
        description="CPU cores that a worker runs on, as in 0-3,8. Unset: all. If several workers share a machine, "
        "give each its own cores.",
    )
    worker_concurrency: int = Field(
        default=4,
        gt=0,
        description="Number of jobs that a worker runs at the same time (> 0): the images of some are fetched, or "
        "their results uploaded, while the device segments another. In addition it runs one job whose image was "
        "encoded a short time ago, so that a click need not wait for other images. A job that waits while another one "
        "encodes the same image does not count.",
    )
    lease_seconds: float = Field(
        default=15.0,
        gt=0,
        description="A worker without a heartbeat for this time, in seconds (> 0), is considered dead, and other "
        "workers take its jobs.",
    )
    shutdown_grace_seconds: float = Field(
        default=15.0,
        ge=0,
        description="How long a worker may finish its running jobs after SIGTERM, in seconds (0 or more). Other "
        "workers then take the rest immediately. The supervisor should wait a little longer before it kills the "
        "worker.",
    )
    max_attempts: int = Field(
        default=3, gt=0, description="Number of attempts after which a job that kills its workers fails (> 0)."
    )
    retry_delay_seconds: float = Field(
        default=2.0,
        ge=0,
        description="Longest delay before the second attempt, in seconds (0 or more). It doubles with each attempt.",
    )
    retry_delay_max_seconds: float = Field(
        default=60.0,
        ge=0,
        description="Longest delay between attempts, in seconds (0 or more). A minute lets jobs continue soon after an "
        "outage.",
    )

    watchdog_grace_seconds: float = Field(
        default=300.0,
        gt=0,
        description="A worker that still runs an attempt this long, in seconds (> 0), after the job's `run_within_s` "
        "is considered hung and exits, for its supervisor to restart it. A worker checks deadlines only between "
        "stages, and one stage of a large model on few cores, behind three other jobs, may take minutes. `ovseg health "
        "worker` fails if the device has run one batch for longer than this time.",
    )

    # The reaper
    sweep_seconds: float = Field(default=1.0, gt=0, description="Time between two sweeps, in seconds (> 0).")
    lost_message_seconds: float = Field(
        default=10.0,
        gt=0,
        description="If a queue has fewer messages than jobs that wait, and one of them has waited for this time, in "
        "seconds (> 0), the missing messages are sent again. It must be longer than a worker needs from taking a "
        "message to claiming a job. An extra message does no harm.",
    )

    retention_seconds: float = Field(
        default=7 * 24 * 3600,
        ge=0,
        description="A finished job is erased after this time, in seconds (0 or more): record, input and result. In a "
        "week, clients can fetch the results that they keep, and Redis does not grow without bound. 0: jobs are kept "
        "until they are deleted. A webhook is retried for three days; with less than that, an undelivered event is "
        "erased with its job.",
    )

    @property
    def beat_seconds(self) -> float:
        """Time between two heartbeats, in seconds: a process may miss two before it is considered dead."""
        return self.lease_seconds / BEATS_PER_LEASE

    @field_validator("redis_ca_file")
    @classmethod
    def _check_authorities(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None:
            _require_tls(info)
            certificate_files.check_authorities(value)
        return value

    @field_validator("s3_sources")
    @classmethod
    def _check_sources(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if any(Source.parse(entry).bucket == info.data.get("s3_bucket") for entry in value):
            raise ValueError("OVSEG_S3_BUCKET cannot be a source: it has the files of all tenants")
        return value

    @field_validator("redis_cert_file")
    @classmethod
    def _check_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        key = info.data.get("redis_key_file")
        if value is not None:
            _require_tls(info)
            certificate_files.check_pair(value, key)
        elif key is not None:
            raise ValueError("it is not set, but OVSEG_REDIS_KEY_FILE is")
        return value

    @field_validator("data_dir", mode="before")
    @classmethod
    def _check_data_dir(cls, value: object) -> object:
        return value or None  # Path("") would be the current folder

    @field_validator("gateway_port", mode="before")
    @classmethod
    def _check_port(cls, value: object) -> object:
        if isinstance(value, str) and "://" in value:
            raise ValueError(
                "it is not a number; Kubernetes sets this variable for a Service named ovseg-gateway: set "
                "enableServiceLinks: false in the pod"
            )
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _check_secret(cls, value: str | None) -> str | None:
        if value is not None:
            secrets.key_of(value)
        return value

    @field_validator("webhook_signing_key")
    @classmethod
    def _check_signing_key(cls, value: str | None) -> str | None:
        if value is not None:
            signing_keys.seeds_of(value)
        return value


def _require_tls(info: ValidationInfo) -> None:
    url = info.data.get("redis_url")  # None if the URL is wrong, which is reported already
    if url is not None and not url.startswith("rediss:"):
        raise ValueError("it works only with rediss://, and OVSEG_REDIS_URL is a server without TLS")
