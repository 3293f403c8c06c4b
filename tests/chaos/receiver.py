"""An unreliable webhook receiver: it refuses a third of the requests, answers some too late, and resets some."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from configs import webhook_signing_key
from configs.settings import Settings
from tests.chaos.order import Order
from tests.support import fakes
from tests.support.fakes import Received
from tests.support.hooks import is_signed_by
from worker.webhook import signing_keys

SLEEP_SECONDS = 3.0  # longer than the senders wait
BATCH_TENANT = "data"  # owns the batch of a run
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: closing resets the connection


@dataclass(frozen=True)
class Delivery:
    """One request that arrived. `was_accepted` is True if the answer was 200. `about` is the job or the batch."""

    event_id: str
    type: str
    about: dict[str, Any]
    is_signed: bool
    was_accepted: bool
    endpoint_id: str | None = None


@dataclass
class Receiver:
    """`secrets` has the secret of each tenant, with which its jobs' webhooks must be signed, and of each endpoint.

    `settings` have the private key of the service, with which it must sign too.
    """

    secrets: dict[str, str]
    settings: Settings
    port: int = 0
    deliveries: list[Delivery] = field(default_factory=list)  # events of jobs
    accepted: set[str] = field(default_factory=set)  # ids of events of jobs
    of_batch: list[Delivery] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}/hook"

    def is_signed(self, tenant: str, endpoint_id: str | None, headers: dict[str, str], body: bytes) -> bool:
        """Return whether the secret and the private key of the sender have signed a body."""
        try:
            Webhook(self.secrets[endpoint_id or tenant]).verify(body, headers)
        except WebhookVerificationError:
            return False
        received = Received("", {name.lower(): value for name, value in headers.items()}, body)
        return all(is_signed_by(received, key.jwk) for key in signing_keys.of_tenant(tenant, self.settings))


@contextmanager
def receiving(secret: str, seed: int) -> Iterator[Receiver]:
    """Run a receiver while the block runs. `secret` is that of the tenant `default`."""
    settings = Settings(webhook_secret=secret, webhook_signing_key=webhook_signing_key.new())
    receiver, lock, mood = Receiver({"default": secret}, settings), threading.Lock(), random.Random(seed)

    class Handler(fakes.Quiet):
        def do_POST(self) -> None:  # noqa: N802
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                how = mood.choices(["accept", "refuse", "sleep", "reset"], [62, 30, 4, 4])[0]
                self._keep(body, how == "accept")
            if how == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                self.close_connection = True
                return
            if how == "sleep":
                time.sleep(SLEEP_SECONDS)
            self.send_response(200 if how == "accept" else mood.choice([500, 502, 503]))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _keep(self, body: bytes, was_accepted: bool) -> None:
            event, event_id = json.loads(body), self.headers["webhook-id"]
            is_of_batch, endpoint_id = event["type"].startswith("batch."), event["endpoint_id"]
            tenant = BATCH_TENANT if is_of_batch else Order(event["data"]["metadata"]["n"]).tenant
            is_signed = receiver.is_signed(tenant, endpoint_id, dict(self.headers), body)
            delivery = Delivery(event_id, event["type"], event["data"], is_signed, was_accepted, endpoint_id)
            if is_of_batch:
                receiver.of_batch.append(delivery)
                return
            receiver.deliveries.append(delivery)
            if was_accepted:
                receiver.accepted.add(event_id)

    with fakes.serving(Handler) as receiver.port:
        yield receiver
