"""The processes: workers that segment, senders of webhooks, reapers."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import setup_logging, worker_ready, worker_shutdown, worker_shutting_down

from configs.settings import Settings
from worker import reaper
from worker.inference import eviction
from worker.process import affinity, queue_pulse
from worker.process.pulse import Pulse
from worker.services import Services
from worker.store import queue
from worker.store.keyspace import Keyspace

if TYPE_CHECKING:
    from worker.worker_services import WorkerServices

log = logging.getLogger(__name__)

# One sweep of objects in storage: some hundred requests, each tried again where storage is slow.
STORAGE_SWEEP_SECONDS = 600.0


def segmenting(settings: Settings, device: str) -> None:
    """Work on jobs until SIGTERM or SIGINT, then finish those that are running, or hand them back.

    `device` is "cpu" or "gpu:N". Raises ValueError for another one, for a device that this machine or build of Paddle
    lacks, and for cores that do not exist.
    """
    _see_only(device)
    if settings.worker_cores:
        affinity.limit_to(settings.worker_cores)

    # Only now: Paddle decides at its import what CUDA shows it.
    from worker.worker_services import WorkerServices

    work(WorkerServices(settings, device), device)


def work(services: WorkerServices, device: str) -> None:
    """Take the jobs that a worker on "cpu" or "gpu:N" may run, until SIGTERM or SIGINT."""
    from worker.process import leaving
    from worker.tasks import segment

    app, settings, heartbeat = services.app, services.settings, services.heartbeat

    @app.task(name=queue.SEGMENT)
    def task(job_id: str) -> None:
        segment(job_id, services)

    worker_ready.connect(lambda **_: heartbeat.start(), weak=False)
    worker_shutting_down.connect(
        lambda **_: leaving.within(settings.shutdown_grace_seconds, services.jobs, heartbeat, services.roster),
        weak=False,
    )
    worker_shutdown.connect(lambda **_: services.close(), weak=False)
    _beat(app, _signs_of(services), settings)
    _consume(app, queue.queues_of_worker(device), settings.worker_concurrency, services.name)


def sending(settings: Settings) -> None:
    """Deliver webhooks until SIGTERM or SIGINT. Raises ValueError without a secret to sign them with."""
    if settings.webhook_secret is None:
        raise ValueError("OVSEG_WEBHOOK_SECRET is not set; `ovseg webhook-secret` makes one, for the gateway too")
    from worker.webhook.deliver import SenderServices, deliver

    app, keyspace = queue.create(settings), Keyspace.open(settings)
    services = SenderServices.open(settings, keyspace, app)

    @app.task(name=queue.DELIVER)
    def task(event_id: str) -> None:
        try:
            deliver(event_id, services)
        except BaseException:  # any kind would cost Celery a thread; the reaper brings the event back
            log.exception("%s could not be delivered", event_id)

    _beat(app, Pulse(keyspace, settings, "webhooks", "queue").beat, settings)
    _consume(app, [queue.WEBHOOK_QUEUE], settings.webhook_threads, f"webhooks@{socket.gethostname()}:{os.getpid()}")


def reaping(settings: Settings) -> None:
    """Put back what was left behind, until SIGTERM or SIGINT."""
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    services = Services(settings)
    log.info("sweeping every %g s", settings.sweep_seconds)

    def beating(name: str, sweep: reaper.Sweep, seconds: float) -> reaper.Sweep:
        sign = Pulse(services.keyspace, settings, "reaper", name, seconds + settings.sweep_seconds)

        def sweep_and_beat() -> None:
            if not sign.has_begun:
                sign.beat()  # known from the first: a sweep that never succeeds will be late
            sweep()
            sign.beat()

        return sweep_and_beat

    def evict() -> None:
        eviction.sweep(services.keyspace, settings, services.storage)

    sweeps = {
        "jobs": beating("jobs", lambda: reaper.sweep(services.jobs, services.left_behind), 0),
        "events": beating("events", lambda: reaper.sweep_events(services.events), 0),
        "erasure": beating("erasure", services.erasure.sweep, STORAGE_SWEEP_SECONDS),
        "archive": beating("archive", services.archive.sweep, STORAGE_SWEEP_SECONDS),
        "embeddings": beating("embeddings", evict, STORAGE_SWEEP_SECONDS),
    }
    reaper.run(sweeps, settings.sweep_seconds, stopping)


def _see_only(device: str) -> None:
    """Hide all GPUs but the one of "gpu:N". Raises ValueError for what is neither that nor "cpu"."""
    kind, _, index = device.partition(":")
    if kind == "gpu":
        if not (index or "0").isdecimal():
            raise ValueError(f"device must be gpu:N with a number N, not {device}")
        os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"  # numbered as nvidia-smi numbers them
        os.environ["CUDA_VISIBLE_DEVICES"] = index or "0"
    elif device != "cpu":
        raise ValueError(f"device must be cpu or gpu:N, not {device!r}")


def _signs_of(services: WorkerServices) -> Callable[[], None]:
    """Gives a worker's signs of life when it is called: the queue's, and the device's unless that hangs."""
    taking, running = (Pulse(services.keyspace, services.settings, "worker", name) for name in ("queue", "device"))

    def beat() -> None:
        taking.beat()
        # Where the device hangs, the queue's loop goes on until every slot waits for it.
        if services.inference.running_seconds < services.settings.watchdog_grace_seconds:
            running.beat()

    return beat


def _beat(app: Celery, give: Callable[[], None], settings: Settings) -> None:
    app.steps["consumer"].add(queue_pulse.step(give, settings.beat_seconds))


def _consume(app: Celery, queues: list[str], concurrency: int, name: str) -> None:
    # Celery warns root of pickled messages; ours are JSON with a job's id.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    setup_logging.connect(lambda **_: None, weak=False)  # who listens here tells Celery to leave logging alone
    worker_ready.connect(lambda **_: log.info("ready, taking from %s", " and ".join(queues)), weak=False)
    options = ["--pool", "threads", "--concurrency", str(concurrency), "--queues", ",".join(queues)]
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]  # the record knows who works on what
    app.worker_main(["--quiet", "worker", "--hostname", name, *options, *alone])
