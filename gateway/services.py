"""What the views work with."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import cast

from flask import current_app
from redis import Redis

from configs.settings import Settings
from gateway.waiting import Waiting
from worker.image.inputs import Inputs
from worker.job.acceptance import Acceptance
from worker.job.archive import Archive
from worker.job.erasure import Erasure
from worker.job.jobs import Jobs
from worker.store import queue
from worker.store.connection import connect
from worker.store.storage import IMPATIENT, UNHURRIED, Storage
from worker.webhook.endpoints import Endpoints
from worker.webhook.events import Events


@dataclass(frozen=True)
class Services:
    settings: Settings
    redis: Redis
    jobs: Jobs
    events: Events
    endpoints: Endpoints
    storage: Storage
    inputs: Inputs
    archive: Archive
    acceptance: Acceptance
    waiting: Waiting
    erasure: Erasure
    leaving: threading.Event  # set when this process is told to stop

    @classmethod
    def open(cls, settings: Settings) -> Services:
        redis, app = connect(settings), queue.create(settings)
        jobs, events = Jobs(redis, app, settings), Events(redis, app, settings)
        storage = Storage(settings, IMPATIENT)
        background = Storage(settings, UNHURRIED)
        inputs = Inputs(connect(settings, as_bytes=True), settings.redis_prefix, storage, background)
        archive = Archive(redis, settings, storage, inputs)
        erasure = Erasure(redis, settings, storage, archive)
        leaving = threading.Event()
        return cls(
            settings,
            redis,
            jobs,
            events,
            Endpoints(redis, settings),
            storage,
            inputs,
            archive,
            Acceptance(jobs, inputs, storage, archive, settings),
            Waiting(jobs, settings, leaving),
            erasure,
            leaving,
        )


def services() -> Services:
    """Those of the application that answers the current request."""
    return cast(Services, current_app.extensions["ovseg"])
