"""The outbox of events, with steps in any order: hypothesis chooses what senders, a reaper and people do, and when."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from configs.settings import Settings
from tests.support import orders, protocol
from tests.support.protocol import AT, HOOK
from worker import reaper
from worker.job.jobs import Jobs
from worker.store import queue
from worker.store.keyspace import Keyspace
from worker.webhook.delivery import Delivery
from worker.webhook.endpoints import Endpoints
from worker.webhook.events import Event, Events
from worker.webhook.span import Span

PLACES, FEW = 2, 6
HOSTS = [AT, "example.org:443"]
ALL_TIME = Span(datetime.fromtimestamp(0, UTC), datetime.now(UTC) + timedelta(days=3650))
some = st.integers(0, 2 * FEW - 1)


def answered(status: int | None) -> Delivery:
    return Delivery(datetime.now(UTC), HOOK, status, None if status else "it did not answer in time", 1.0)


class Outbox(RuleBasedStateMachine):
    """Every job has two events: one for its own webhook at one host, one for an endpoint at another host."""

    corner: Settings

    def __init__(self) -> None:
        super().__init__()
        prefix = f"{self.corner.redis_prefix}{uuid.uuid4().hex[:6]}:"
        update = {"redis_prefix": prefix, "webhook_threads_per_host": PLACES}
        self.settings = self.corner.model_copy(update=update)
        self.keyspace = Keyspace.open(self.settings)
        app = queue.create(self.settings)
        self.jobs, self.events = Jobs(self.keyspace, app, self.settings), Events(self.keyspace, app, self.settings)
        self.endpoint = protocol.endpoint(Endpoints(self.keyspace, self.settings))
        self.ids: list[str] = []
        self.running: list[Event] = []

    @precondition(lambda self: len(self.ids) < 2 * FEW)
    @rule(count=st.integers(1, FEW))
    def happen(self, count: int) -> None:
        for _ in range(count):
            self.happen_one()

    def happen_one(self) -> None:
        job_id = protocol.accept(self.jobs, webhook=HOOK)
        self.jobs.cancel(job_id)
        self.ids += [f"evt_{job_id}_canceled", f"evt_{job_id}_canceled_{self.endpoint.id}"]

    @precondition(lambda self: self.ids)
    @rule(which=some, count=st.integers(1, FEW))
    def begin(self, which: int, count: int) -> None:
        """Begin several tries in a row, more than a host has places for."""
        for i in range(which, which + count):
            self.begin_one(self.ids[i % len(self.ids)])

    def begin_one(self, event_id: str) -> None:
        before = self.event(event_id)
        event = self.events.begin(event_id, self.host_of(event_id))
        if event is None:
            assert self.event(event_id).tries == before.tries
        else:
            assert (before.state, event.tries) == ("pending", before.tries + 1)
            self.running.append(event)

    @precondition(lambda self: self.running)
    @rule(which=some, how=st.sampled_from(["delivered", "try_again", "give_up"]), status=st.sampled_from([200, None]))
    def end(self, which: int, how: str, status: int | None) -> None:
        event = self.running.pop(which % len(self.running))
        if how == "try_again":
            self.events.try_again(event, 60, answered(status))
        else:
            (self.events.delivered if how == "delivered" else self.events.give_up)(event, answered(status))

    @precondition(lambda self: self.ids)
    @rule(which=some)
    def abandon(self, which: int) -> None:
        self.events.abandon(self.event(self.ids[which % len(self.ids)]), "there is no receiver")

    @precondition(lambda self: self.ids)
    @rule(which=some)
    def redeliver(self, which: int) -> None:
        assert self.events.redeliver(self.ids[which % len(self.ids)])

    @rule()
    def replay(self) -> None:
        replay = self.events.replay(self.endpoint.id, HOSTS[1], ALL_TIME)
        assert replay.replayed == len(self.ids) / 2

    @rule()
    def sweep(self) -> None:
        reaper.sweep_events(self.events)

    @rule()
    def let_time_pass(self) -> None:
        """Make everything due that is due later, and let the leases of all senders end."""
        for index in ("events:due", *(f"sending:{host}" for host in HOSTS)):
            protocol.let_time_pass(self.settings, index, 86_400)

    @precondition(lambda self: self.ids)
    @rule(which=some)
    def erase(self, which: int) -> None:
        job_id = self.event(self.ids[which % len(self.ids)]).job_id
        self.keyspace.run("erase", str(job_id), 0, 60)
        self.ids = [event_id for event_id in self.ids if f"_{job_id}_" not in event_id]
        left = [*self.waits(), self.members(f"told_to:{self.endpoint.id}")]
        assert not any(str(job_id) in event_id for index in left for event_id in index)

    @invariant()
    def each_pending_event_is_in_one_index_and_no_other_event_is(self) -> None:
        pending = [event_id for event_id in self.ids if self.event(event_id).state == "pending"]
        assert sorted(event_id for index in self.waits() for event_id in index) == sorted(pending)

    @invariant()
    def no_host_gets_more_than_its_places(self) -> None:
        for host in HOSTS:
            assert len(self.members(f"sending:{host}")) <= PLACES

    def teardown(self) -> None:
        """If no sender dies and all receivers answer, every event is delivered."""
        for _ in range(2 * len(self.ids) + 2):
            self.let_time_pass()
            reaper.sweep_events(self.events)
            for event_id in dict.fromkeys(protocol.messages(self.settings, "webhook")):
                event = self.events.begin(event_id, self.host_of(event_id))
                if event is not None:
                    self.events.delivered(event, answered(200))
        assert not any(self.waits())
        self.keyspace.redis.close()

    def host_of(self, event_id: str) -> str:
        return HOSTS[event_id.endswith(self.endpoint.id)]

    def event(self, event_id: str) -> Event:
        history = self.events.get(event_id)
        assert history is not None
        return history.event

    def waits(self) -> list[list[str]]:
        return [self.members("events:due"), *(self.members(f"held:{host}") for host in HOSTS)]

    def members(self, index: str) -> list[str]:
        return list(self.keyspace.redis.zrange(self.keyspace.key(index), 0, -1))


def test_in_any_order_no_event_is_lost_and_no_host_gets_too_many_tries(settings: Settings) -> None:
    class InItsCorner(Outbox):
        corner = settings

    run_state_machine_as_test(
        InItsCorner, settings=hypothesis_settings(max_examples=orders.count(25), stateful_step_count=40, deadline=None)
    )
