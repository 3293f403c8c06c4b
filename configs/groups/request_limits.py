"""Settings: what a request may be."""

from __future__ import annotations

from pydantic import BaseModel, Field


class RequestLimits(BaseModel):
    max_body_bytes: int = Field(
        default=32_000_000,
        gt=0,
        description="Largest body of a request, in bytes (> 0). An image of 20 MB has 27 MB in base64.",
    )
    max_image_bytes: int = Field(
        default=20_000_000,
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
        default=200_000_000,
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
