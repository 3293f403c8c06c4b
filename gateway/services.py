"""What the views work with."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import cast

from flask import current_app
from redis import Redis

from configs.settings import Settings
from gateway.waiting import Waiting
from worker import queue
from worker.archive import Archive
from worker.connection import connect
from worker.endpoints import Endpoints
from worker.erasure import Erasure
from worker.events import Events
from worker.inputs import Inputs
from worker.jobs import Jobs
from worker.storage import IMPATIENT, UNHURRIED, Storage


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
            Waiting(jobs, settings, leaving),
            erasure,
            leaving,
        )


def services() -> Services:
    """Those of the application that answers the current request."""
    return cast(Services, current_app.extensions["ovseg"])
