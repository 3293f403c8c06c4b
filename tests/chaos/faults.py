"""The faults of a run, and their times."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.chaos import hurry
from tests.chaos.batch import BatchClient
from tests.chaos.callers import Callers
from tests.chaos.clients import Clients
from tests.chaos.fault_proxy import Fault
from tests.chaos.member import Member
from tests.chaos.publishes import Publishes
from tests.chaos.scale import Scale
from tests.chaos.stack import Stack

Strike = Callable[[], None]

AIM_SECONDS = 0.005  # an aimed kill follows a publish within this time
AIM_TIMEOUT_SECONDS = 2.0  # how long a kill waits for a publish to aim at
FROZEN_FIRST = 0.2  # the share of aimed kills that hit a worker that was stopped before the publish
NETWORK_SECONDS = (0.5, 4.0)


@dataclass(frozen=True)
class Silence:
    """From this time on a worker's process was silent, until it was replaced or its leases had ended."""

    pid: int
    at: float


class Faults:
    """Applies faults according to a timetable, one after the other, in the thread that made the stack."""

    def __init__(
        self,
        stack: Stack,
        callers: Callers,
        clients: Clients,
        batch: BatchClient,
        publishes: Publishes,
        scale: Scale,
        seed: int,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.silences: list[Silence] = []
        self._stack, self._callers, self._clients, self._publishes = stack, callers, clients, publishes
        self._scale, self._batch = scale, batch
        self._dice = random.Random(seed)
        self._later: list[tuple[float, Strike]] = []
        self._aimed = self._at_the_batch() if scale.batch_items else iter(())
        self._is_aiming = False

    def inflict(self, look: Callable[[], None]) -> None:
        """Apply all faults. `look` is called often."""
        start = time.monotonic()
        for at, strike in sorted(self._timetable(), key=lambda row: row[0]):
            self._pause(start + at - time.monotonic(), look)
            strike()
        self._pause(start + self._scale.seconds - time.monotonic(), look)

    def end(self) -> None:
        """Wait until every fault has ended, and those that are aimed at the batch have hit it."""
        until = time.monotonic() + self._scale.patience_seconds
        while self._later or (self._is_aiming and not self._batch.is_done and time.monotonic() < until):
            self._pause(0.1, lambda: None)

    def _pause(self, seconds: float, look: Callable[[], None]) -> None:
        until = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            for row in [row for row in self._later if row[0] <= now]:
                self._later.remove(row)
                row[1]()
            self._is_aiming = next(self._aimed, False)
            look()
            if now >= until:
                return
            self._stack.pause(min(0.05, until - now))

    def _timetable(self) -> Iterator[tuple[float, Strike]]:
        scale = self._scale
        aimed = scale.worker_kills // 2
        frozen = round(aimed * FROZEN_FIRST)
        for count, strike in (
            (scale.worker_kills - aimed, self._kill_worker),
            (aimed - frozen, self._kill_worker_after_publish),
            (frozen, self._kill_frozen_worker_after_publish),
            (scale.worker_freezes, self._freeze_worker),
            (scale.valkey_kills, self._kill_valkey),
            (scale.seaweedfs_kills, lambda: self._kill("seaweedfs")),
            (scale.gateway_kills, self._kill_gateway_in_mid_request),
            (scale.sender_kills, lambda: self._kill("webhooks")),
            (scale.reaper_kills, lambda: self._kill("reaper")),
            (scale.network_faults, self._disturb_network),
        ):
            for i in range(count):
                yield scale.seconds * (0.02 + 0.94 * (i + self._dice.random()) / count), strike
        if scale.s3_outage_seconds:
            yield scale.seconds * 0.35, self._s3_outage
        if scale.valkey_freeze_seconds:
            yield scale.seconds * 0.65, self._freeze_valkey
        yield scale.seconds * 0.5, self._revoke_keys

    def _revoke_keys(self) -> None:
        self._callers.revoke()
        self.counts["API key of each tenant revoked"] += 1

    # Workers

    def _kill_worker(self) -> None:
        self._silence("killed", self._stack.one_alive("worker", self._dice))

    def _kill_worker_after_publish(self) -> None:
        worker = self._stack.one_alive("worker", self._dice)
        self._publishes.wait_for_next(AIM_TIMEOUT_SECONDS)
        time.sleep(self._dice.uniform(0, AIM_SECONDS))
        self._silence("killed just after a publish", worker)

    def _kill_frozen_worker_after_publish(self) -> None:
        worker = self._stack.one_alive("worker", self._dice)
        worker.freeze()
        self._publishes.wait_for_next(AIM_TIMEOUT_SECONDS)
        time.sleep(self._dice.uniform(0, AIM_SECONDS))
        self._silence("frozen, and killed just after a publish", worker)

    def _freeze_worker(self) -> None:
        """Freeze a worker, if possible during a job, until it is too late for it to report the job's end."""
        worker = self._stack.one_alive("worker", self._dice)
        self._publishes.wait_for_next(AIM_TIMEOUT_SECONDS)
        time.sleep(self._dice.uniform(0.05, 0.3))
        worker.freeze()
        self.silences.append(Silence(worker.pid, time.time()))
        self.counts["worker frozen until after its lease"] += 1
        over = hurry.LEASE_SECONDS + 2 * hurry.SWEEP_SECONDS + 1
        self._later.append((time.monotonic() + over, worker.thaw))

    def _silence(self, how: str, worker: Member) -> None:
        self.silences.append(Silence(worker.pid, time.time()))
        worker.kill()
        self.counts[f"worker {how}"] += 1

    # The others

    def _kill(self, role: str, down_seconds: float = 0.0) -> None:
        self._stack.one_alive(role, self._dice).kill(down_seconds)
        self.counts[f"{role} killed"] += 1

    def _kill_valkey(self) -> None:
        self._kill("valkey", self._dice.uniform(0, 0.5))

    def _kill_gateway_in_mid_request(self) -> None:
        until = time.monotonic() + AIM_TIMEOUT_SECONDS
        while not self._clients.in_flight and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(self._dice.uniform(0, 0.02))
        self._kill("gateway")

    def _at_the_batch(self) -> Iterator[bool]:
        """Kill the gateway and then Valkey while items of the manifest are added, and a worker that runs a job of them.

        The client sends the manifest again after each of the first two. Yield True while the moment has not come.
        """
        added = 0
        for role in ("gateway", "valkey"):
            while (now := self._batch.added()) <= added:
                yield True
            if now < self._scale.batch_items:
                self._kill(role)
                self.counts[f"{role} killed in the middle of a manifest"] += 1
                added = now
        while (worker := self._worker_of_the_batch()) is None:
            yield True
        self._silence("killed while it ran a job of the batch", worker)

    def _worker_of_the_batch(self) -> Member | None:
        """Return a worker that runs a job of the batch; look for one for a moment, because the jobs are short."""
        until = time.monotonic() + AIM_TIMEOUT_SECONDS
        while self._batch.has_jobs() and time.monotonic() < until:
            pid = self._batch.pid_of_a_worker()
            for worker in self._stack.of_role("worker"):
                if worker.pid == pid and worker.is_alive:
                    return worker
            time.sleep(0.001)
        return None

    def _s3_outage(self) -> None:
        seconds = self._scale.s3_outage_seconds
        self._stack.members["seaweedfs"].kill(seconds)
        self.counts[f"object storage unreachable for {seconds:g} s"] += 1

    def _freeze_valkey(self) -> None:
        """Freeze Valkey after earlier kills have been recovered: recovery stops while Valkey is frozen."""
        self._stack.pause(hurry.LEASE_SECONDS + 2 * hurry.SWEEP_SECONDS)
        seconds = self._scale.valkey_freeze_seconds
        valkey = self._stack.one_alive("valkey", self._dice)
        valkey.freeze()
        self._stack.pause(seconds)
        valkey.thaw()
        self.counts[f"Valkey frozen for {seconds:g} s"] += 1

    def _disturb_network(self) -> None:
        name = self._dice.choice(list(self._stack.proxies))
        proxy, fault = self._stack.proxies[name], self._dice.choice([f for f in Fault if f is not Fault.NONE])
        proxy.inflict(fault)
        self.counts[f"network to {name}: {fault.value}"] += 1
        self._later.append((time.monotonic() + self._dice.uniform(*NETWORK_SECONDS), lambda: proxy.inflict(Fault.NONE)))
