"""What a worker works with."""

from __future__ import annotations

import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from celery import Celery
from redis import Redis

from configs.settings import MEGABYTE, Settings
from worker.image.decoders import Decoders
from worker.image.inputs import Inputs
from worker.inference.embeddings import Embeddings
from worker.inference.inference import Inference
from worker.inference.shared_embeddings import SharedEmbeddings
from worker.job.archive import Archive
from worker.job.jobs import Jobs
from worker.outbound.client import GuardedClient
from worker.process.heartbeat import Heartbeat
from worker.process.roster import Roster
from worker.store.connection import connect
from worker.store.storage import Storage

log = logging.getLogger(__name__)

# Uploads are small and wait mostly for the server; more threads only wait together.
UPLOAD_THREADS = 8


@dataclass(frozen=True)
class Bench:
    """One for each process. `name` is the worker's, HOST:PID."""

    name: str
    settings: Settings
    redis: Redis
    jobs: Jobs
    roster: Roster
    storage: Storage
    inputs: Inputs
    archive: Archive
    client: GuardedClient
    decoders: Decoders
    heartbeat: Heartbeat
    inference: Inference
    embeddings: Embeddings
    uploads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(UPLOAD_THREADS, "upload"))

    @classmethod
    def open(cls, settings: Settings, app: Celery, device: str) -> Bench:
        """Load the default model on "cpu" or "gpu:N". Raises ValueError for a device that cannot be used."""
        redis, storage = connect(settings), Storage(settings)
        name = f"{socket.gethostname()}:{os.getpid()}"
        jobs, roster = Jobs(redis, app, settings), Roster(redis, settings, name, device)
        decoders = Decoders(settings)
        decoders.warm_up()  # while the model loads
        log.info("loading %s on %s", settings.default_model, device)
        # A worker sees one GPU only, which is the first to it.
        network = Inference("cpu" if device == "cpu" else "gpu:0", settings.engine, settings.precision)
        network.warm_up(settings.default_model)
        inputs = Inputs(connect(settings, as_bytes=True), settings.redis_prefix, storage)
        shared = SharedEmbeddings(redis, settings, storage, roster.line)
        return cls(
            name=name,
            settings=settings,
            redis=redis,
            jobs=jobs,
            roster=roster,
            storage=storage,
            inputs=inputs,
            archive=Archive(redis, settings, storage, inputs),
            client=GuardedClient(settings),
            decoders=decoders,
            heartbeat=Heartbeat(jobs, roster, settings.lease_seconds),
            inference=network,
            embeddings=Embeddings(network, shared, settings.embedding_cache_megabytes * MEGABYTE),
        )

    def close(self) -> None:
        self.heartbeat.stop()
        self.decoders.close()
