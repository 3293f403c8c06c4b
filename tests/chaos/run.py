"""A run: the stack with faults, then without faults until all jobs are done, then the verdict."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import RedisError
from tqdm import tqdm

from configs import webhook_secret
from tests.chaos import evidence, hurry, receiver, recovery, stack, verdict
from tests.chaos.batch import BatchClient
from tests.chaos.callers import Callers
from tests.chaos.clients import Clients
from tests.chaos.evidence import Evidence
from tests.chaos.faults import Faults
from tests.chaos.order import EVENTS
from tests.chaos.publishes import Publishes
from tests.chaos.receiver import Receiver
from tests.chaos.scale import Scale
from tests.chaos.stack import Stack
from tests.chaos.verdict import Verdict
from worker.store.keyspace import Keyspace


@dataclass(frozen=True)
class Outcome:
    scale: Scale
    seconds: float
    faults: Mapping[str, int]
    answers: Mapping[str, int]
    slowest_answer_seconds: float
    recovery_seconds: list[float]
    requeued: Mapping[str, int]
    permits_replaced: int
    too_late: int
    seen: Evidence
    verdict: Verdict


def run(scale: Scale, folder: Path, seed: int, show_progress: bool = False) -> Outcome:
    start, secret = time.monotonic(), webhook_secret.new()
    with (
        receiver.receiving(secret, seed) as hook,
        stack.running(scale, folder, _settings(hook, secret)) as members,
        _environment(members.credentials),
        _progress(scale, hook, show_progress) as look,
    ):
        publishes = Publishes(members.settings)
        callers = Callers(members)
        hook.secrets["acme"] = callers.acme_secret
        clients = Clients(members.url, callers, hook.url, scale.jobs, scale.seconds, seed)
        batch = BatchClient(members, hook, scale)
        faults = Faults(members, callers, clients, batch, publishes, scale, seed)
        try:
            faults.inflict(lambda: look(clients, faults))
            faults.end()
            _drain(members, clients, batch, hook, scale, lambda: look(clients, faults))
        finally:
            batch.stop()
            clients.stop()
        seen = evidence.collect(members, callers, clients, hook, batch)
        # The others also wait for more urgent jobs.
        urgent = {job["id"] for job in seen.jobs if evidence.number_of(job).priority == "interactive"}
        of_urgent = [entry for entry in seen.entries if entry.job_id in urgent]
        return Outcome(
            scale=scale,
            seconds=time.monotonic() - start,
            faults=dict(faults.counts),
            answers=dict(clients.answers),
            slowest_answer_seconds=clients.slowest_seconds,
            recovery_seconds=recovery.seconds(of_urgent, faults.silences),
            requeued=_requeued(members),
            permits_replaced=_permits_replaced(members),
            too_late=_count(members, "worker", "came too late; another holds the job"),
            seen=seen,
            verdict=verdict.judge(seen),
        )


def _settings(hook: Receiver, secret: str) -> dict[str, str]:
    return {
        "OVSEG_ALLOWED_PRIVATE_HOSTS": hook.address,
        "OVSEG_AUTH": "required",
        "OVSEG_WEBHOOK_SECRET": secret,
        "OVSEG_WEBHOOK_SIGNING_KEY": str(hook.settings.webhook_signing_key),
    }


def _drain(
    members: Stack, clients: Clients, batch: BatchClient, hook: Receiver, scale: Scale, look: Callable[[], None]
) -> None:
    """Wait until nothing is left to do, or the time is over."""
    deadline = time.monotonic() + scale.patience_seconds
    with Keyspace.open(members.settings) as keyspace:
        while time.monotonic() < deadline:
            members.pause(0.5)
            look()
            try:
                left = evidence.left_over(keyspace)
            except RedisError:
                continue
            all_delivered = len(hook.accepted) >= len(EVENTS) * sum(len(ids) for ids in clients.accepted.values())
            if clients.are_done and batch.is_done and all_delivered and not any(left.values()):
                break
    members.pause(2 * hurry.SWEEP_SECONDS)  # time for a process that would still do something wrong


def _requeued(members: Stack) -> dict[str, int]:
    """Return how many jobs the reapers requeued, by the reason."""
    places = {"leases": "a dead worker", "delayed": "a fault of ours"}
    return {why: _count(members, "reaper", f"was left behind in {place}") for place, why in places.items()}


def _permits_replaced(members: Stack) -> int:
    """Return how many permits the reapers replaced."""
    logs = (member.log.read_text(errors="replace") for member in members.of_role("reaper"))
    return sum(int(count) for log in logs for count in re.findall(r"(\d+) messages were lost", log))


def _count(members: Stack, role: str, words: str) -> int:
    """Count these words in the logs of a role."""
    return sum(member.log.read_text(errors="replace").count(words) for member in members.of_role(role))


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _progress(scale: Scale, hook: Receiver, show: bool) -> Iterator[Callable[[Clients, Faults], None]]:
    """Show a bar of the webhooks that were accepted: the last step of a job."""
    with tqdm(total=scale.jobs * len(EVENTS), unit="event", disable=not show, mininterval=1) as bar:

        def look(clients: Clients, faults: Faults) -> None:
            bar.set_postfix(accepted=len(clients.accepted), faults=faults.counts.total(), refresh=False)
            bar.update(len(hook.accepted) - bar.n)

        yield look
