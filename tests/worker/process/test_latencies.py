"""How long jobs waited and ran, as counts in ranges."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from worker.process import latencies


def counted(milliseconds: list[float]) -> Counter[str]:
    return Counter(f"run {latencies._range(each)}" for each in milliseconds)


@pytest.mark.parametrize("median_ms", [0.5, 3, 40, 700, 20_000, 4_000_000])
def test_a_quantile_is_at_most_a_fifth_wrong(median_ms: float) -> None:
    drawn = random.Random(7)
    sample = sorted(median_ms * drawn.lognormvariate(0, 0.7) for _ in range(5000))
    found = latencies.quantiles(counted(sample), latencies.RUN)
    assert found is not None
    assert found.count == 5000
    slack = 0.2 if median_ms >= 3 else 1.0  # a range that begins at 0 has no ratio
    assert found.p50 == pytest.approx(sample[2500], rel=slack)
    assert found.p95 == pytest.approx(sample[4750], rel=0.2)


def test_no_job_has_no_quantile_and_the_longest_times_count_in_the_last_range() -> None:
    assert latencies.quantiles({"wait 3": 5, "run 3": 0}, latencies.RUN) is None
    found = latencies.quantiles(counted([1e12, 0.0]), latencies.RUN)
    assert found is not None
    assert found.p95 <= latencies.upper_ms(latencies.RANGES - 1)


def test_prometheus_has_all_jobs_below_each_limit() -> None:
    found = dict(latencies.buckets(counted([0.2, 3, 3, 900, 1e12]), latencies.RUN))
    assert (found["0.001"], found["0.004"], found["1.024"], found["+Inf"]) == (1, 3, 4, 5)
    assert list(found.values()) == sorted(found.values())
