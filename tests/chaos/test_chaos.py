"""The harness itself: it finds no fault in a complete service, and lost jobs in one without a reaper."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos import report, run
from tests.chaos.scale import Scale

FEW = Scale(
    name="few",
    jobs=40,
    seconds=12,
    worker_kills=5,
    valkey_kills=1,
    gateway_kills=1,
    sender_kills=1,
    batch_items=1500,
    batch_ends=30,
)


@pytest.mark.timeout(900)
def test_few_jobs_and_a_batch_with_faults_are_all_done_and_reported(tmp_path: Path) -> None:
    outcome = run.run(FEW, tmp_path, seed=1)
    assert outcome.verdict.is_clean, report.text(outcome)
    assert len(outcome.seen.accepted) == FEW.jobs
    begun = {entry.job_id for entry in outcome.seen.entries if entry.word == "begin"}
    assert begun >= {job["id"] for job in outcome.seen.jobs}  # every claim was recorded
    # a gateway was killed in the middle of the manifest
    assert outcome.seen.batch is not None
    assert outcome.seen.batch.batch["counts"]["total"] == FEW.batch_items


@pytest.mark.timeout(900)
def test_without_a_reaper_jobs_are_lost_and_the_harness_reports_it(tmp_path: Path) -> None:
    scale = Scale(name="without a reaper", jobs=90, seconds=10, worker_kills=8, reapers=0, patience_seconds=15)
    for seed in (1, 2, 3):  # on a busy machine every kill of a run may miss a job
        outcome = run.run(scale, tmp_path / str(seed), seed)
        if outcome.verdict.count("jobs lost"):
            break
    assert outcome.verdict.count("jobs lost") > 0, report.text(outcome)
    assert outcome.verdict.count("leases left over") > 0, report.text(outcome)
    assert "THE PROMISE WAS BROKEN" in report.text(outcome)
