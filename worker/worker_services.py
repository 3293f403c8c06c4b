"""The services that a worker needs, in addition to those of every process."""

from __future__ import annotations

import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor

from configs.settings import MEGABYTE, Settings
from worker.image.decoders import Decoders
from worker.inference.batcher import Batcher
from worker.inference.detectors import Detectors
from worker.inference.embeddings import Embeddings
from worker.inference.inference import Inference
from worker.inference.recent_embeddings import RecentEmbeddings
from worker.inference.shared_embeddings import SharedEmbeddings
from worker.inference.unshared import Unshared
from worker.job.jobs import Jobs
from worker.outbound.client import GuardedClient
from worker.process.heartbeat import Heartbeat
from worker.process.model_report import ModelReport
from worker.process.roster import Roster
from worker.process.slots import Slots
from worker.services import Services

log = logging.getLogger(__name__)

# Uploads are small and mostly wait for the server; with more threads, more uploads would wait at the same time.
UPLOAD_THREADS = 8


class WorkerServices(Services):
    """The services of a worker. Opening them loads the default model on `device`, "cpu" or "gpu:N".

    `name` is the worker's name, HOST:PID. Tests pass an `inference` that needs no network, or their own `decoders` and
    `detectors`.
    Raises ValueError for a device that cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        device: str,
        inference: Inference | None = None,
        decoders: Decoders | None = None,
        detectors: Detectors | None = None,
    ) -> None:
        super().__init__(settings)
        self.jobs = Jobs(self.keyspace, self.app, settings, self.archive.keep_ended_soon)
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self.client = GuardedClient(settings)
        self.decoders = decoders or Decoders(settings)
        self.decoders.warm_up()  # while the model loads
        log.info("loading model %s on %s", settings.default_model, device)
        # A worker sees only one GPU, so that GPU has number 0.
        visible, thread = "cpu" if device == "cpu" else "gpu:0", Batcher("inference")
        self.inference = inference or Inference(visible, settings.engine, settings.precision, thread)
        self.inference.warm_up(settings.default_model)
        self.detectors = detectors or Detectors(visible, settings.engine, thread)
        if settings.preload_detector:
            log.info("loading detector %s on %s", settings.default_detector, device)
            self.detectors.warm_up(settings.default_detector)
        self.roster = Roster(self.keyspace, settings, self.name, device, self._report)
        self.slots = Slots(settings.worker_concurrency)
        self.heartbeat = Heartbeat(self.jobs, self.roster, settings.beat_seconds)
        shared = SharedEmbeddings(self.keyspace, settings, self.storage, self.roster.line)
        recent = RecentEmbeddings(settings.embedding_cache_megabytes * MEGABYTE)
        self.embeddings = Embeddings(self.inference, shared, recent)
        # Features of a detector are not shared: those of one image would take the place of six embeddings of SAM in
        # storage, and are used once for each list of phrases, while an embedding is used for each click.
        self.features = Embeddings(self.detectors, Unshared(), recent)
        self.publishing = ThreadPoolExecutor(UPLOAD_THREADS, "upload")

    def _report(self) -> ModelReport:
        return ModelReport.of(self.inference.loaded | self.detectors.loaded)

    def close(self) -> None:
        self.heartbeat.stop()
        self.decoders.close()
