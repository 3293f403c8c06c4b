"""The services that the views use."""

from __future__ import annotations

import threading
from typing import cast

from flask import current_app

from configs.settings import Settings
from gateway.known_keys import KnownKeys
from gateway.live.live import Live
from gateway.rate_limits import RateLimits
from gateway.waiting import Waiting
from worker.services import Services
from worker.store.storage import IMPATIENT, UNHURRIED


class GatewayServices(Services):
    """The services of a gateway process. `leaving` is set when the process begins to stop."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, IMPATIENT, UNHURRIED)
        self.known_keys = KnownKeys(self.keys, self.sessions)
        self.leaving = threading.Event()
        self.rate_limits = RateLimits(self.keyspace, settings)
        self.waiting = Waiting(self.jobs, self.batches, self.keyspace, self.leaving)
        self.live = Live(self)


def services() -> GatewayServices:
    """Return the services of the application that answers the current request."""
    return cast(GatewayServices, current_app.extensions["ovseg"])
