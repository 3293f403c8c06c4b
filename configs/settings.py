"""Every setting: its name, its default and the reason for the default.

Each is read from the environment as OVSEG_<NAME> (`redis_url` is OVSEG_REDIS_URL), once, at the start of a process;
a bad one stops the process with the name and what is allowed. Credentials for object storage are not here: they come
from boto3's own chain (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws, an instance role). Nor is what the library
reads itself, with or without the service: `ovseg_core.environment` lists that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from configs import certificate_files, s3_names
from configs import webhook_secret as secrets
from configs.cores import Cores
from configs.host_list import HostPatterns, TrustedHosts
from configs.redis_address import RedisUrl
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
        allow_inf_nan=False,  # durations become whole seconds in places
    )

    # Where things are
    redis_url: RedisUrl = Field(
        default="redis://127.0.0.1:6379/0",
        repr=False,  # it may hold a password
        description="Redis or Valkey: redis://, rediss:// (TLS; certificate and host name of the server are verified) "
        "or unix:///path?db=0. Holds jobs and queues; run it with appendonly yes and maxmemory-policy noeviction.",
    )
    redis_ca_file: Path | None = Field(
        default=None,
        description="Certificates (PEM) of authorities that Redis's certificate may be signed by, besides those that "
        "the system trusts.",
    )
    redis_key_file: Path | None = Field(
        default=None, description="The key of our certificate (PEM, not encrypted), if it is not in the same file."
    )
    redis_cert_file: Path | None = Field(
        default=None,
        validate_default=True,  # for a key without it
        description="Our own certificate (PEM), for a Redis that demands one.",
    )
    redis_prefix: str = Field(default="ovseg:", description="Begins every key, so that others may share the server.")
    valkey_megabytes: int = Field(
        default=2000,
        ge=16,
        description="Memory of the Valkey that `ovseg up` starts; when nine tenths are in use, submissions are "
        "refused. 64 images of the largest size on their way to storage take 1,300.",
    )
    s3_endpoint_url: HttpAddress | None = Field(
        default=None, description="S3 server; unset means Amazon's. Set it for SeaweedFS, MinIO, Ceph, R2."
    )
    s3_public_endpoint_url: HttpAddress | None = Field(
        default=None,
        description="S3 server as clients reach it, where that differs: a presigned URL is bound to the host it names.",
    )
    s3_bucket: s3_names.Bucket = Field(default="ovseg", description="Bucket of inputs and results; it must exist.")
    s3_region: s3_names.Region | None = Field(
        default=None,
        description="Region that requests are signed for. Unset: AWS_REGION, else AWS_DEFAULT_REGION, else that of the "
        "profile in ~/.aws/config, else us-east-1.",
    )

    # What a request may be
    max_body_bytes: int = Field(
        default=32 * MEGABYTE, gt=0, description="A request's body: an image of 20 MB grows to 27 MB as base64."
    )
    max_image_bytes: int = Field(
        default=20 * MEGABYTE, gt=0, description="An image file, sent or fetched; a 48-megapixel JPEG has 10 to 20 MB."
    )
    max_image_pixels: int = Field(
        default=80_000_000,
        gt=0,
        le=178_956_970,  # more are refused whatever is set
        description="Width times height: 240 MB of RGB in a worker.",
    )
    decode_seconds: float = Field(
        default=10.0,
        gt=0,
        description="CPU time that a worker spends on decoding one image; by the clock, ten times as long. The slowest "
        "valid files, of 80 megapixels, take 1 to 5 s; one that was made to be slow could take an hour.",
    )
    max_prompts: int = Field(default=1000, gt=0, description="Prompts of one job.")
    max_points: int = Field(default=100, gt=0, description="Points of one prompt.")
    max_total_points: int = Field(
        default=10_000, gt=0, description="Points of one job: half a megabyte in Redis, and in each list that shows it."
    )
    max_metadata_bytes: int = Field(
        default=4096, gt=0, description="The caller's own JSON in UTF-8, kept in Redis with the job."
    )
    max_queued_jobs: int = Field(
        default=100_000,
        gt=0,
        description="Jobs that wait for a worker; more are refused. At 2 kB each they take 200 MB of Redis, and a "
        "worker of 10 jobs a second needs three hours for them.",
    )
    default_model: str = Field(default="SAM-Lite", description="For requests that name none; bundled, no download.")
    paddlex_visualize: bool = Field(
        default=True, description="PaddleX's Serving.visualize: draw the result where the request does not say."
    )

    idempotency_seconds: int = Field(
        default=24 * 3600,
        gt=0,
        description="How long an Idempotency-Key is remembered, and the id of an erased job is refused. A day, as "
        "others have it, outlasts a client's retries.",
    )

    # Meeting strangers
    allowed_private_hosts: TrustedHosts = Field(
        default=(),
        description="Hosts (comma separated) that image and webhook URLs may name although they are private, on "
        "another port than 80 or 443, or, for webhooks, without https: `minio`, `10.0.0.5`, `::1`; `.internal.example` "
        "for every host under it; `10.0.0.0/8` for a network, also where a name leads into it. Each may end in a port: "
        "`minio:9000`, `[::1]:9000`. Empty: none may be.",
    )
    fetch_timeout_seconds: float = Field(
        default=20.0,
        gt=0,
        description="An image fetched by URL, from resolving its host to the last byte, redirects among it.",
    )
    presigned_url_seconds: int = Field(
        default=3600, ge=60, le=604_800, description="How long the URLs in a job object work; ask again for new ones."
    )
    webhook_secret: str | None = Field(
        default=None,
        repr=False,
        description="Signs webhooks: whsec_ and base64 of 24 to 64 random bytes (`ovseg webhook-secret` makes one). "
        "Unset: a job that asks for a webhook is refused, for an unsigned one cannot be trusted.",
    )
    webhook_threads: int = Field(
        default=32, gt=0, description="Webhooks told at the same time by one sender; they wait, and cost little."
    )
    webhook_threads_per_host: int = Field(
        default=4,
        gt=0,
        description="Webhooks told to one host at the same time, by all senders together: a receiver that hangs holds "
        "so many threads, until its first time-out, and then one. Fewer than `webhook_threads`, for the others.",
    )
    webhook_old_secret_seconds: float = Field(
        default=24 * 3600.0,
        ge=0,
        description="After an endpoint's secret was rotated, the old one signs too for so long: a day to bring the new "
        "one to every receiver.",
    )
    max_webhook_endpoints: int = Field(
        default=20, gt=0, description="Each is an event more to write and to tell at every change of every job."
    )
    webhook_timeout_seconds: float = Field(
        default=15.0,
        gt=0,
        description="A try to tell a receiver, from resolving its host to the last byte of its answer.",
    )

    # The gateway
    gateway_host: str = Field(
        default="127.0.0.1", min_length=1, description="Address to listen on; loopback until you say otherwise."
    )
    gateway_port: int = Field(default=8080, ge=0, le=65535, description="As PaddleX serves.")
    gateway_allowed_hosts: HostPatterns = Field(
        default=(),
        description="Hosts (comma separated, `name`, `name:port`, `.name` with all names below it) that a request's "
        "Host may name, besides localhost, 127.0.0.1 and [::1], and whose pages may change things (Origin). Empty: "
        "those three on loopback, any Host elsewhere, and pages of the Host itself. `*` allows any Host, no Origin.",
    )
    gateway_processes: int = Field(default=1, gt=0, description="More processes answer on more cores.")
    gateway_threads: int = Field(
        default=64,
        gt=0,
        description="Requests computed at a time per process: more than cores, for they wait for Redis and storage. "
        "A held `wait` keeps no thread, nor does a client that sends or reads slowly.",
    )
    gateway_drain_seconds: float = Field(
        default=0.0,
        ge=0,
        description="Told to stop, the gateway says so at /readyz and goes on answering for so long: behind a load "
        "balancer, the time that it takes to notice.",
    )
    max_wait_seconds: float = Field(default=60.0, gt=0, description="Longest time a GET is held; proxies cut at 60.")
    paddlex_timeout_seconds: float = Field(
        default=300.0, gt=0, description="Longest time PaddleX's synchronous route waits; its own clients wait 300."
    )

    # One machine
    data_dir: Path | None = Field(
        default=None, description="Where `ovseg up` keeps everything; unset means ~/.local/share/ovseg."
    )

    # A worker
    engine: Literal["auto", "openvino", "onnxruntime", "paddle"] = Field(
        default="auto",
        description="What runs the network. auto: on a CPU the first of these that is installed and can run the model; "
        "on a GPU Paddle. A model that the engine of this name cannot run has that of auto.",
    )
    precision: Literal["auto", "float32", "bfloat16", "float16", "int8"] = Field(
        default="auto",
        description="What networks compute in. auto: bfloat16 on a CPU that has AMX or AVX512-BF16, where images take "
        "half of the time or less and masks are nearly the same; float32 elsewhere. float32: masks do not depend on "
        "the machine. CPUs with VNNI have int8, for the image encoder of SAM-Lite and of what `ovseg models quantize` "
        "was run on; GPUs have bfloat16 and float16 for SAM's. A model that lacks the precision runs in float32. The "
        "job object says which one ran.",
    )
    embedding_cache_megabytes: int = Field(
        default=512,
        ge=0,
        description="Of embeddings that a worker keeps, so that later jobs for the same image and model need not "
        "encode it again. One takes 6 MB with SAM-Lite, 4 with SAM.",
    )
    shared_embeddings_megabytes: int = Field(
        default=4096,
        ge=0,
        description="Of embeddings, in float16, that workers share by way of storage: what one has encoded, another "
        "need not. One takes 3 MB with SAM-Lite, 2 with SAM; those not used for longest go. 0: nothing is shared.",
    )
    shared_embeddings_seconds: float = Field(
        default=24 * 3600.0,
        gt=0,
        description="A shared embedding that was not used for so long goes, so long also after its job was erased.",
    )
    device: str = Field(
        default="cpu", description="What a worker runs on: cpu, or gpu:N. The option --device says it for one process."
    )
    worker_cores: Cores = Field(
        default=(),
        description="The CPU cores that a worker keeps to, as in 0-3,8; unset: all. Where several workers share a "
        "machine, give each its own.",
    )
    worker_concurrency: int = Field(
        default=4,
        gt=0,
        description="Jobs in progress per worker: one is inferred while others are fetched or uploaded.",
    )
    lease_seconds: float = Field(
        default=15.0, gt=0, description="A worker silent for so long is taken for dead and its jobs go to others."
    )
    shutdown_grace_seconds: float = Field(
        default=15.0,
        ge=0,
        description="A worker that is told to stop has so long to finish its jobs; the rest goes to others at once. "
        "Let whoever stops it wait a little longer before killing it.",
    )
    max_attempts: int = Field(default=3, gt=0, description="Tries before a job that kills its workers is given up.")
    retry_delay_seconds: float = Field(
        default=2.0, ge=0, description="At most so long before the second try; doubles with each try."
    )
    retry_delay_max_seconds: float = Field(
        default=60.0, ge=0, description="Where the doubling ends: an outage is over when it is over, and then soon."
    )

    watchdog_grace_seconds: float = Field(
        default=300.0,
        gt=0,
        description="A worker still inside an attempt so long after the job's `run_within_s` hangs: it ends, for "
        "its supervisor to start it again. Only between stages does it see that a deadline has passed, and a large "
        "model on few cores, behind three other jobs, may take minutes over one. `ovseg health worker` fails where the "
        "device has been at one batch for longer.",
    )

    # The reaper
    sweep_seconds: float = Field(default=1.0, gt=0, description="Between two looks for what was left behind.")
    lost_message_seconds: float = Field(
        default=10.0,
        gt=0,
        description="A queued job whose message is not in the queue for so long is sent again. Longer than a worker "
        "needs from taking a message to claiming its job; sending too often does no harm.",
    )

    retention_seconds: float = Field(
        default=7 * 24 * 3600,
        ge=0,
        description="A job that ended so long ago is erased: record, input, result. A week is time to fetch what one "
        "wants to keep, and Redis does not grow for ever. 0 keeps everything until it is deleted. With less than the "
        "three days that a webhook is tried for, an event that nobody took goes with its job.",
    )

    @property
    def beat_seconds(self) -> float:
        """Between two signs of life of a process: two may get lost before it is taken for dead."""
        return self.lease_seconds / BEATS_PER_LEASE

    @field_validator("redis_ca_file")
    @classmethod
    def _check_authorities(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None:
            _want_tls(info)
            certificate_files.check_authorities(value)
        return value

    @field_validator("redis_cert_file")
    @classmethod
    def _check_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        key = info.data.get("redis_key_file")
        if value is not None:
            _want_tls(info)
            certificate_files.check_pair(value, key)
        elif key is not None:
            raise ValueError("it is not set, but OVSEG_REDIS_KEY_FILE is")
        return value

    @field_validator("data_dir", mode="before")
    @classmethod
    def _check_data_dir(cls, value: object) -> object:
        return value or None  # Path("") is the folder that the process happens to run in

    @field_validator("gateway_port", mode="before")
    @classmethod
    def _check_port(cls, value: object) -> object:
        if isinstance(value, str) and "://" in value:
            raise ValueError(
                "it is no number; Kubernetes sets it for a Service named ovseg-gateway: set enableServiceLinks: false "
                "in the pod"
            )
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _check_secret(cls, value: str | None) -> str | None:
        if value is not None:
            secrets.key_of(value)
        return value


def _want_tls(info: ValidationInfo) -> None:
    url = info.data.get("redis_url")  # None if it is wrong, which is said already
    if url is not None and not url.startswith("rediss:"):
        raise ValueError("it is of use with rediss:// only, and OVSEG_REDIS_URL names a server without TLS")
