"""Settings: what a worker runs, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, field_validator

from configs.cores import Cores

BEATS_PER_LEASE = 3


class WorkerProcess(BaseModel):
    data_dir: Path | None = Field(
        default=None, description="Folder for all data of `ovseg up`. Unset: ~/.local/share/ovseg."
    )

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

    @field_validator("data_dir", mode="before")
    @classmethod
    def _check_data_dir(cls, value: object) -> object:
        return value or None  # Path("") would be the current folder

    @property
    def beat_seconds(self) -> float:
        """Time between two heartbeats, in seconds: a process may miss two before it is considered dead."""
        return self.lease_seconds / BEATS_PER_LEASE
