"""The main functions of the processes: workers that segment, senders of webhooks, reapers."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import setup_logging, worker_ready, worker_shutdown, worker_shutting_down

from configs.settings import Settings
from worker import reaper
from worker.inference import eviction
from worker.process import affinity, history, queue_pulse
from worker.process.pulse import Pulse
from worker.services import Services
from worker.store import queue
from worker.store.keyspace import Keyspace

if TYPE_CHECKING:
    from worker.worker_services import WorkerServices

log = logging.getLogger(__name__)

# How long a sweep of storage may take: it makes some hundred requests, and retries each one if storage is slow.
STORAGE_SWEEP_SECONDS = 600.0


def segmenting(settings: Settings, device: str) -> None:
    """Run a worker until SIGTERM or SIGINT. Then finish the running jobs, or hand them back.

    `device` is "cpu" or "gpu:N". Raises ValueError for any other text, for a device that this machine or this build of
    Paddle lacks, and for cores that do not exist.
    """
    _see_only(device)
    if settings.worker_cores:
        affinity.limit_to(settings.worker_cores)
    let_opencv_rest()

    # Imported only now, because Paddle and OpenCV read these variables when they are imported.
    from worker.worker_services import WorkerServices

    work(WorkerServices(settings, device), device)


def work(services: WorkerServices, device: str) -> None:
    """Take jobs from the queues of `device`, "cpu" or "gpu:N", and run them until SIGTERM or SIGINT."""
    from worker.file_maker import FileMaker
    from worker.process import leaving
    from worker.tasks import lookout, segment

    app, settings, heartbeat = services.app, services.settings, services.heartbeat
    queues = queue.queues_of_worker(device)
    looking, making = lookout(queues, services), FileMaker(services)

    @app.task(name=queue.SEGMENT)
    def task(name: str) -> None:
        segment(name, services)

    def start(**_: Any) -> None:
        heartbeat.start()
        looking.start()
        making.start()

    def stop(**_: Any) -> None:
        looking.stop()
        making.stop()
        services.roster.drain()
        leaving.within(settings.shutdown_grace_seconds, services.jobs, heartbeat, services.roster)

    def close(**_: Any) -> None:  # Celery's threads have ended
        looking.join()
        making.join()
        services.close()

    worker_ready.connect(start, weak=False)
    worker_shutting_down.connect(stop, weak=False)
    worker_shutdown.connect(close, weak=False)
    app.steps["consumer"].add(queue_pulse.step(_beat_of_worker(services), settings.beat_seconds))
    _consume(app, queues, settings.worker_concurrency, services.name)


def sending(settings: Settings) -> None:
    """Deliver webhooks until SIGTERM or SIGINT. Raises ValueError if no secret is set to sign them."""
    if settings.webhook_secret is None:
        raise ValueError("OVSEG_WEBHOOK_SECRET is not set; `ovseg webhook-secret` makes one; the gateway needs it too")
    from worker.webhook.deliver import SenderServices, deliver

    app, keyspace = queue.create(settings), Keyspace.open(settings)
    services = SenderServices.open(settings, keyspace, app)

    @app.task(name=queue.DELIVER)
    def task(event_id: str) -> None:
        try:
            deliver(event_id, services)
        except BaseException:  # any exception would end one of Celery's threads
            log.exception("event %s: the try failed with an unexpected error, the reaper requeues it", event_id)

    beat = Pulse(keyspace, settings, "webhooks", "queue").beat
    app.steps["consumer"].add(queue_pulse.step(beat, settings.beat_seconds))
    _consume(app, [queue.WEBHOOK_QUEUE], settings.webhook_threads, f"webhooks@{socket.gethostname()}:{os.getpid()}")


def reaping(settings: Settings) -> None:
    """Run a reaper until SIGTERM or SIGINT.

    It requeues lost jobs and events, makes jobs of the items of batches, completes erasures, archives jobs, evicts
    shared embeddings, and keeps the history of the fleet.
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    services = Services(settings)
    log.info("ready, sweeping every %g s", settings.sweep_seconds)

    def beating(name: str, sweep: reaper.Sweep, seconds: float) -> reaper.Sweep:
        sign = Pulse(services.keyspace, settings, "reaper", name, seconds + settings.sweep_seconds)

        def sweep_and_beat() -> None:
            if not sign.has_begun:
                sign.beat()  # before the first sweep, so that a sweep that never succeeds is late
            sweep()
            sign.beat()

        return sweep_and_beat

    def evict() -> None:
        eviction.sweep(services.keyspace, settings, services.storage)

    sweeps = {
        "jobs": beating("jobs", lambda: reaper.sweep(services.jobs, services.left_behind), 0),
        "events": beating("events", lambda: reaper.sweep_events(services.events), 0),
        "batches": beating("batches", services.feeder.sweep, STORAGE_SWEEP_SECONDS),
        "erasure": beating("erasure", services.erasure.sweep, STORAGE_SWEEP_SECONDS),
        "archive": beating("archive", services.archive.sweep, STORAGE_SWEEP_SECONDS),
        "uploads": beating("uploads", services.uploads.sweep, STORAGE_SWEEP_SECONDS),
        "records": beating("records", services.record_archive.sweep, STORAGE_SWEEP_SECONDS),
        "embeddings": beating("embeddings", evict, STORAGE_SWEEP_SECONDS),
        "history": beating("history", lambda: history.keep(services.keyspace), 0),
    }
    reaper.run(sweeps, settings.sweep_seconds, stopping)


def let_opencv_rest() -> None:
    """Stop OpenCV's threads from spinning after each call that runs in parallel. Call this before OpenCV is imported.

    They spin on cores that other jobs need: a click on a known image took 0.7 ms more of CPU time.
    """
    os.environ.setdefault("OPENCV_THREAD_POOL_ACTIVE_WAIT_WORKER", "0")


def _see_only(device: str) -> None:
    """Hide all GPUs except the one of "gpu:N". Raises ValueError for a device that is neither "gpu:N" nor "cpu"."""
    kind, _, index = device.partition(":")
    if kind == "gpu":
        if not (index or "0").isdecimal():
            raise ValueError(f"device must be gpu:N with a number N, not {device}")
        os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # the numbers of nvidia-smi
        os.environ["CUDA_VISIBLE_DEVICES"] = index or "0"
    elif device != "cpu":
        raise ValueError(f"device must be cpu or gpu:N, not {device!r}")


def _beat_of_worker(services: WorkerServices) -> Callable[[], None]:
    """Return a function that gives a worker's signs of life: the queue's, and the device's unless the device hangs."""
    of_queue, of_device = (Pulse(services.keyspace, services.settings, "worker", name) for name in ("queue", "device"))

    def beat() -> None:
        of_queue.beat()
        # If the device hangs, the queue's loop still runs until every slot waits for the device.
        if services.inference.running_seconds < services.settings.watchdog_grace_seconds:
            of_device.beat()

    return beat


def _consume(app: Celery, queues: list[str], concurrency: int, name: str) -> None:
    """Run Celery's worker until SIGTERM or SIGINT."""
    # Celery warns users who run as root about pickled messages; ours are JSON with the name of a queue.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    setup_logging.connect(lambda **_: None, weak=False)  # Celery sets up no logging if this signal has a receiver
    worker_ready.connect(lambda **_: log.info("ready, taking from %s", " and ".join(queues)), weak=False)
    options = ["--pool", "threads", "--concurrency", str(concurrency), "--queues", ",".join(queues)]
    # Celery's workers do not need to find each other: the records in Redis show which worker runs which job.
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    app.worker_main(["--quiet", "worker", "--hostname", name, *options, *alone])
