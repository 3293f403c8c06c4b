"""A page of a list reads a limited number of records."""

from __future__ import annotations

from tests.support.protocol import accepted, request
from worker.job.job_filter import JobFilter
from worker.job.jobs import Jobs
from worker.job.listing import MAX_READ

RARE = JobFilter(metadata={"rare": True})


def test_a_page_is_empty_and_has_a_cursor_if_none_of_many_jobs_meets_the_conditions(jobs: Jobs) -> None:
    rare = request().model_copy(update={"metadata": {"rare": True}})
    accepted(jobs, "oldest", rare)
    for n in range(MAX_READ - 1):
        accepted(jobs, f"j{n}", request())
    accepted(jobs, "newest", rare)

    [first], cursor = jobs.list("default", RARE, 10, None)
    assert (first.id, cursor is None) == ("newest", False)
    [second], end = jobs.list("default", RARE, 10, cursor)
    assert (second.id, end) == ("oldest", None)
    accepted(jobs, "last", request())
    assert jobs.list("default", RARE, 10, None)[0] == [first]
    nothing, cursor = jobs.list("default", JobFilter(name="none"), 10, None)
    assert (nothing, cursor is None) == ([], False)


def test_a_job_that_was_erased_while_the_list_is_read_is_left_out(jobs: Jobs) -> None:
    kept, gone = (accepted(jobs, job_id, request()) for job_id in ("kept", "gone"))
    jobs._keyspace.redis.delete(jobs._keyspace.key(f"job:{gone.id}"))
    assert jobs.list("default", JobFilter(), 10, None) == ([kept], None)
    assert jobs.list("default", JobFilter(model="SAM-Lite"), 10, None) == ([kept], None)
