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

from tests.chaos.order import Order
from tests.support import fakes

SLEEP_SECONDS = 3.0  # longer than the senders wait
BATCH_TENANT = "data"  # owns the batch of a run
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: closing resets the connection


@dataclass(frozen=True)
class Delivery:
    """One request that arrived. `was_accepted` is True if the answer was 200."""

    event_id: str
    type: str
    job: dict[str, Any]
    is_signed: bool
    was_accepted: bool


@dataclass
class Receiver:
    """`secrets` has the secret of each tenant, with which its jobs' webhooks must be signed."""

    secrets: dict[str, str]
    port: int = 0
    deliveries: list[Delivery] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)  # ids of events
    of_batch: list[tuple[str, str]] = field(default_factory=list)  # type and id of each event that was accepted

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}/hook"


@contextmanager
def receiving(secret: str, seed: int) -> Iterator[Receiver]:
    """Run a receiver while the block runs. `secret` is that of the tenant `default`."""
    receiver, lock, mood = Receiver({"default": secret}), threading.Lock(), random.Random(seed)

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
            if event["type"].startswith("batch."):
                Webhook(receiver.secrets[BATCH_TENANT]).verify(body, dict(self.headers))
                if was_accepted:
                    receiver.of_batch.append((event["type"], event_id))
                return
            tenant = Order(event["data"]["metadata"]["n"]).tenant
            try:
                Webhook(receiver.secrets[tenant]).verify(body, dict(self.headers))
                is_signed = True
            except WebhookVerificationError:
                is_signed = False
            receiver.deliveries.append(Delivery(event_id, event["type"], event["data"], is_signed, was_accepted))
            if was_accepted:
                receiver.accepted.add(event_id)

    with fakes.serving(Handler) as receiver.port:
        yield receiver
