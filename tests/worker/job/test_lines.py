"""Which job is next: lanes and tenants share the workers, and no line starves; on a real Valkey."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice, takewhile
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from configs.settings import Settings
from tests.support import lines, protocol
from tests.support.protocol import AUTO, PICTURE, accept, begin
from tests.worker.job.lines_model import WEIGHTS, Model, Waiting
from worker.job.jobs import Jobs
from worker.job.record import Job, Run
from worker.job.request import ENCODE_COST, PRIORITIES, Priority
from worker.store import queue, tenant
from worker.store.keyspace import Keyspace

# Each example has keys of its own in Valkey, so the fixture may be shared by all.
examples = hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
RUN = Run("numpy", "float32", "miss")
KNOWN = "5a"  # the digest of an image whose embedding a worker has
OWNERS = ("default", "acme", "zoo")
priorities, owners = st.sampled_from(PRIORITIES), st.sampled_from(OWNERS)


class Corner:
    """A queue in its own keys of Valkey."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings.model_copy(update={"redis_prefix": f"{settings.redis_prefix}{uuid.uuid4().hex[:6]}:"})
        self.keyspace = Keyspace.open(self.settings)
        self.jobs = Jobs(self.keyspace, queue.create(self.settings), self.settings)
        for owner in OWNERS:
            self.keyspace.redis.set(self.keyspace.key(f"made:SAM-Lite:{tenant.owned(owner, KNOWN)}"), "")

    def accept(self, owner: str, priority: Priority = "normal", prompts: int = 1, sha256: str | None = None) -> Waiting:
        request = protocol.request(priority=priority, sha256=sha256)
        request = request.model_copy(update={"prompts": request.prompts * prompts})
        job_id = protocol.accepted(self.jobs, tenant.owned(owner, uuid.uuid4().hex), request).id
        cost = prompts if sha256 == KNOWN else ENCODE_COST + prompts
        return Waiting(job_id, owner, priority + (".light" if sha256 == KNOWN else ""), cost)

    def weigh(self, weights: Mapping[str, int]) -> None:
        for owner, weight in weights.items():
            self.keyspace.redis.hset(self.keyspace.key(f"tenant:{owner}"), "weight", weight)

    def begin(self, only_light: bool = False) -> Job | None:
        return self.jobs.begin(AUTO, "w", only_light)

    def begun(self) -> Iterator[Job]:
        """Begin one job after the other, until none waits."""
        while (job := self.begin()) is not None:
            yield job


@contextmanager
def corner_of(settings: Settings) -> Iterator[Corner]:
    corner = Corner(settings)
    with corner.keyspace:
        yield corner


# The order is that of the model


steps = st.one_of(
    st.tuples(st.just("accept"), owners, priorities, st.integers(1, 30), st.sampled_from([None, KNOWN, "b7"])),
    st.tuples(st.just("begin"), st.booleans()),
    st.tuples(st.sampled_from(["cancel", "erase", "expire", "hand_back"]), st.integers(0, 9)),
)


@examples
@given(
    taken=st.lists(steps, max_size=40), weights=st.fixed_dictionaries({owner: st.integers(1, 5) for owner in OWNERS})
)
def test_any_calls_begin_the_jobs_that_a_plain_model_begins_and_leave_nothing_behind(
    settings: Settings, taken: Sequence[tuple[Any, ...]], weights: dict[str, int]
) -> None:
    with corner_of(settings) as corner:
        corner.weigh(weights)
        model, running = Model(weights.__getitem__), list[tuple[Waiting, Job]]()
        for name, *arguments in taken:
            match name, arguments:
                case "accept", [owner, priority, prompts, sha256]:
                    model.enter(corner.accept(owner, priority, prompts, sha256))
                case "begin", [only_light]:
                    expected, job = model.begin(only_light), corner.begin(only_light)
                    assert (job and job.id) == (expected and expected.id)
                    running += [(expected, job)] if expected and job else []
                case "hand_back", [which] if running:
                    waiting, job = running.pop(which % len(running))
                    assert corner.jobs.hand_back(job) == "queued"
                    model.enter(waiting, is_first=True)
                case how, [which] if how in ("cancel", "erase", "expire") and model.waiting:
                    model.leave(end(corner, how, model.waiting[which % len(model.waiting)]))
        lines.check(corner.keyspace)
        assert [job.id for job in corner.begun()] == [job.id for job in iter(model.begin, None)]
        assert not corner.keyspace.redis.keys(corner.keyspace.key("*segment.auto*"))


def end(corner: Corner, how: str, job: Waiting) -> Waiting:
    """End a waiting job."""
    if how == "cancel":
        assert corner.jobs.cancel(job.id) == "canceled"
    elif how == "erase":
        assert corner.keyspace.run("erase", job.id, 0, 60, 0) == "queued"
    else:
        corner.keyspace.redis.hset(corner.keyspace.key(f"job:{job.id}"), "start_by", 1)
        assert corner.jobs.expire(job.id) == "expired"
    return job


# Shares


@pytest.mark.parametrize(
    ("first", "second", "backlog", "begun_before"),
    [("acme", "zoo", 1_000, 17), ("zoo", "acme", 200, 1), ("acme", "zoo", 200, 0)],  # a tie is broken by the name
)
def test_a_backlog_of_a_tenant_delays_the_first_job_of_another_by_at_most_one_job(
    settings: Settings, first: str, second: str, backlog: int, begun_before: int
) -> None:
    with corner_of(settings) as corner:
        for _ in range(backlog):
            corner.accept(first)
        assert len(list(islice(corner.begun(), begun_before))) == begun_before
        mine = corner.accept(second, prompts=1000)
        assert mine.id in [job.id for job in islice(corner.begun(), 2)]


@hypothesis_settings(examples, max_examples=20)
@given(
    weights=st.fixed_dictionaries({owner: st.integers(1, 6) for owner in OWNERS}),
    prompts=st.fixed_dictionaries({owner: st.integers(1, 40) for owner in OWNERS}),
)
def test_tenants_share_the_work_in_proportion_to_their_weights(
    settings: Settings, weights: dict[str, int], prompts: dict[str, int]
) -> None:
    """The bound is that of start-time fair queuing: one job of each of two tenants."""
    with corner_of(settings) as corner:
        corner.weigh(weights)
        backlog = 8
        for owner in OWNERS:
            for _ in range(backlog):
                corner.accept(owner, prompts=prompts[owner])
        begun = Counter[str]()
        cost = {owner: ENCODE_COST + prompts[owner] for owner in OWNERS}
        for job in corner.begun():
            begun[job.tenant] += 1
            served = {owner: begun[owner] * cost[owner] / weights[owner] for owner in OWNERS}
            for one in OWNERS:
                for other in OWNERS:
                    apart = cost[one] / weights[one] + cost[other] / weights[other]
                    assert abs(served[one] - served[other]) <= apart + 1e-9
            if max(begun.values()) == backlog:
                break


def test_a_tenant_that_waits_for_each_answer_and_one_with_a_backlog_take_turns(settings: Settings) -> None:
    for eager, patient in (("acme", "zoo"), ("zoo", "acme")):
        with corner_of(settings) as corner:
            for _ in range(30):
                corner.accept(eager)
            begun = Counter[str]()
            corner.accept(patient)
            for job in islice(corner.begun(), 20):
                begun[job.tenant] += 1
                if job.tenant == patient:
                    corner.accept(patient)
            assert abs(begun[eager] - begun[patient]) <= 1


def test_a_tenant_that_was_absent_has_no_claim_on_the_past(settings: Settings) -> None:
    with corner_of(settings) as corner:
        for _ in range(60):
            corner.accept("acme")
        assert len(list(islice(corner.begun(), 40))) == 40
        for _ in range(20):
            corner.accept("zoo")
        begun = Counter(job.tenant for job in islice(corner.begun(), 20))
        assert abs(begun["acme"] - begun["zoo"]) <= 1


def test_lanes_share_the_work_and_bulk_gets_its_part(settings: Settings) -> None:
    with corner_of(settings) as corner:
        for priority in PRIORITIES:
            for _ in range(200 if priority == "interactive" else 40):
                corner.accept("default", priority)
        begun = Counter(job.request.priority for job in islice(corner.begun(), 219))
        assert begun == {"interactive": 192, "normal": 24, "bulk": 3}  # 64 : 8 : 1, three times


@hypothesis_settings(examples, max_examples=15)
@given(backlog=st.lists(priorities, max_size=6), priority=priorities)
def test_every_job_begins_although_more_urgent_ones_are_sent_all_the_time(
    settings: Settings, backlog: list[Priority], priority: Priority
) -> None:
    with corner_of(settings) as corner:
        for each in backlog:
            corner.accept("acme", each)
        mine = corner.accept("default", priority)
        waited = 0
        for job in corner.begun():
            if job.id == mine.id:
                break
            waited += 1
            corner.accept("acme", "interactive")
        # Between two turns of a lane, another begins as many jobs as its weight exceeds that lane's, and one more.
        between_turns = sum(1 + weight / WEIGHTS[priority] for weight in WEIGHTS.values())
        assert waited <= (backlog.count(priority) + 1) * between_turns


def test_a_click_on_a_known_image_overtakes_images_in_bulk(settings: Settings) -> None:
    with corner_of(settings) as corner:
        for _ in range(50):
            corner.accept("default", "bulk")
        next(corner.begun())
        click = corner.accept("default", "normal", sha256=KNOWN)
        assert next(corner.begun()).id == click.id


# Light jobs


def test_jobs_on_an_image_are_light_after_one_has_succeeded(jobs: Jobs) -> None:
    heavy = accept(jobs, sha256=KNOWN)
    assert jobs.waits([AUTO])
    assert not jobs.light_waits([AUTO])
    assert jobs.begin(AUTO, "w", only_light=True) is None
    succeed(jobs, begin(jobs, heavy))
    assert not jobs.waits([AUTO])
    others = [accept(jobs, "acme", sha256=KNOWN), accept(jobs, sha256="b7"), accept(jobs)]
    assert not jobs.light_waits([AUTO])  # another tenant's, another image, and an image whose digest is not known
    light = accept(jobs, sha256=KNOWN)
    assert jobs.light_waits(["segment.cpu", AUTO])
    assert not jobs.light_waits(["segment.cpu"])
    job = jobs.begin(AUTO, "w", only_light=True)
    assert job is not None
    assert job.id == light
    assert jobs.begin(AUTO, "w", only_light=True) is None
    assert len(others) == len([1 for _ in others if jobs.begin(AUTO, "w")])


def succeed(jobs: Jobs, job: Job) -> None:
    assert jobs.succeed(job, PICTURE, {}, 1, RUN) == "succeeded"


def test_a_failed_job_makes_no_image_known(jobs: Jobs) -> None:
    jobs.fail(begin(jobs, accept(jobs, sha256=KNOWN)), protocol.BROKEN)
    accept(jobs, sha256=KNOWN)
    assert not jobs.light_waits([AUTO])


def test_everything_mode_is_never_light(settings: Settings) -> None:
    with corner_of(settings) as corner:
        request = protocol.request(sha256=KNOWN).model_copy(update={"prompts": (), "everything": {}})
        protocol.accepted(corner.jobs, "a", request)
        assert not corner.jobs.light_waits([AUTO])


# The place in the queue


def test_the_place_of_a_job_in_its_own_line_is_exact(jobs: Jobs) -> None:
    ids = [accept(jobs) for _ in range(5)]
    places = [jobs.place(job) for job in map(jobs.get, ids) if job]
    assert [place and place.ahead for place in places] == [0, 1, 2, 3, 4]


@examples
@given(
    counts=st.dictionaries(st.tuples(owners, priorities), st.integers(0, 6)),
    mine=st.tuples(owners, priorities),
)
def test_a_place_counts_at_least_the_jobs_of_its_lane_that_begin_before_and_at_most_all(
    settings: Settings, counts: dict[tuple[str, Priority], int], mine: tuple[str, Priority]
) -> None:
    with corner_of(settings) as corner:
        for (owner, priority), count in counts.items():
            for _ in range(count):
                corner.accept(owner, priority)
        job = corner.jobs.get(corner.accept(*mine).id)
        assert job is not None
        place = corner.jobs.place(job)
        assert place is not None
        before = list(takewhile(lambda each: each.id != job.id, corner.begun()))
        same = [each for each in before if each.request.priority == mine[1]]
        assert len(same) <= place.ahead <= sum(counts.values())


# Cost


def test_the_cost_of_accepting_and_beginning_does_not_grow_with_the_number_of_jobs(settings: Settings) -> None:
    """The commands of the scripts are counted: their time is noisy on a shared machine."""

    def counts(jobs_each: int) -> list[int]:
        with corner_of(settings) as corner:
            for n in range(20 * jobs_each):
                corner.accept(f"t{n % 20:02}")
            return [commands(corner, lambda: corner.accept("t07")), commands(corner, corner.begin)]

    assert counts(2) == counts(40)


def commands(corner: Corner, call: Callable[[], object]) -> int:
    """Return how many commands Valkey runs during a call, also those that scripts call."""
    corner.keyspace.redis.config_resetstat()
    call()
    return sum(each["calls"] for each in corner.keyspace.redis.info("commandstats").values())
