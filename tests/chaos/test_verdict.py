"""The checker finds what it should: one thing at a time is made wrong in a run without faults."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ovseg_core import answer
from ovseg_core.paddlex import serving_result
from ovseg_core.prompts import Prompt
from tests.chaos.batch import BatchEvidence
from tests.chaos.box_inference import BoxInference
from tests.chaos.evidence import Evidence
from tests.chaos.journal import Entry
from tests.chaos.order import EVENTS, HEIGHT, WIDTH, Order
from tests.chaos.receiver import Delivery
from tests.chaos.verdict import judge
from tests.support import pictures

ORDER = Order(5)


def result(order: Order = ORDER) -> dict[str, Any]:
    inference = BoxInference()
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[..., 0] = order.red
    prompt = Prompt.of_box(*order.box)
    masks, _ = inference.decode(inference.encode("SAM-Lite", picture)[0], [prompt])
    return serving_result.of(answer.of([prompt], masks))


def document(order: Order = ORDER) -> bytes:
    return json.dumps({"logId": "a", "result": result(order)}).encode()


def picture(order: Order = ORDER) -> bytes:
    return pictures.encoded(Image.fromarray(order.mask * 255), "PNG")


JOB: dict[str, Any] = {
    "id": "a",
    "status": "succeeded",
    "error": None,
    "metadata": {"n": ORDER.n},
    "attempt": 2,
    "progress": None,
    "completed_at": "then",
    "outputs": ["rle", "png"],
    "files": {"result": {"key": "jobs/a/2/result.json"}},
}
DELIVERIES = [Delivery(f"evt_a_{event}", event, {**JOB, "result": result()}, True, True) for event in EVENTS]
COMPLETED = [
    Delivery(f"evt_b_completed{suffix}", "batch.completed", {}, True, True, receiver)
    for suffix, receiver in (("", None), ("_ep_1", "ep_1"))
]
BATCH = BatchEvidence(
    items=1,
    batch={"is_final": True, "counts": {"total": 1, "waiting": 0, "succeeded": 1}},
    results=[{"id": "0", "status": "succeeded", "error": None, "result": result(Order(0))}],
    receivers=[None, "ep_1"],
    events=[*COMPLETED, *(replace(each, was_accepted=False) for each in COMPLETED)],
    ends={"b": 1},
)
CLEAN = Evidence(
    accepted={ORDER.n: {"a"}},
    jobs=[JOB],
    documents={"a": document()},
    pictures={"a": picture()},
    deliveries=DELIVERIES,
    entries=[Entry(1, 0, "a", 1, "begin", "running"), Entry(2, 9, "a", 2, "begin", "running")],
    left_over={"leases": 0},
    usage={ORDER.tenant: {"total": {"accepted": 1, "succeeded": 1, "failed": 0, "canceled": 0}, "stored_bytes": 9}},
    stored_bytes={ORDER.tenant: 9},
    batch=BATCH,
)
SUCCEEDED = DELIVERIES[1]

BROKEN = [
    ("jobs lost", {"jobs": [], "documents": {}, "pictures": {}}),
    ("jobs lost", {"jobs": [{**JOB, "status": "running"}]}),
    ("jobs lost", {"jobs": [{**JOB, "status": "failed"}]}),
    ("wrong results", {"documents": {"a": document(Order(6))}}),
    ("wrong results", {"documents": {"a": None}}),
    ("wrong results", {"pictures": {"a": picture(Order(6))}}),
    ("wrong results", {"pictures": {"a": None}}),
    ("wrong results", {"jobs": [{**JOB, "progress": {"done": 1, "total": 2}}]}),
    ("wrong results", {"deliveries": [*DELIVERIES, replace(SUCCEEDED, about={**JOB, "result": result(Order(6))})]}),
    ("wrong results", {"deliveries": [*DELIVERIES, replace(SUCCEEDED, is_signed=False)]}),
    ("duplicate jobs for a key", {"accepted": {ORDER.n: {"a", "b"}}}),
    ("duplicate jobs for a key", {"jobs": [JOB, {**JOB, "id": "b"}]}),
    ("second event ids for a transition", {"deliveries": [*DELIVERIES, replace(SUCCEEDED, event_id="evt_other")]}),
    (
        "second event ids for a transition",
        {"deliveries": [*DELIVERIES, replace(SUCCEEDED, about={**SUCCEEDED.about, "completed_at": "later"})]},
    ),
    ("jobs without their webhook", {"deliveries": DELIVERIES[:1]}),
    ("jobs without their webhook", {"deliveries": [DELIVERIES[0], replace(SUCCEEDED, was_accepted=False)]}),
    ("stale writes accepted", {"entries": [*CLEAN.entries, Entry(1, 0, "a", 1, "succeed", "succeeded")]}),
    ("stale writes accepted", {"jobs": [{**JOB, "files": {"result": {"key": "jobs/a/1/result.json"}}}]}),
    ("leases left over", {"left_over": {"leases": 1}}),
    ("usage miscounted", {"jobs": [{**JOB, "status": "failed"}]}),
    ("usage miscounted", {"jobs": [JOB, {**JOB, "id": "b"}]}),
    ("usage miscounted", {"stored_bytes": {ORDER.tenant: 10}}),
    ("faults of the batch", {"batch": replace(BATCH, ends={"b": 2})}),
    ("faults of the batch", {"batch": replace(BATCH, items=2)}),
    ("faults of the batch", {"batch": replace(BATCH, batch={**BATCH.batch, "is_final": False})}),
    ("faults of the batch", {"batch": replace(BATCH, results=[{**BATCH.results[0], "status": "failed"}])}),
    ("faults of the batch", {"batch": replace(BATCH, events=COMPLETED[:1])}),
    ("faults of the batch", {"batch": replace(BATCH, events=[*COMPLETED, replace(COMPLETED[0], event_id="evt_2")])}),
    ("faults of the batch", {"batch": replace(BATCH, events=[*COMPLETED, replace(COMPLETED[0], is_signed=False)])}),
    ("faults of the batch", {"batch": replace(BATCH, events=[replace(e, was_accepted=False) for e in COMPLETED])}),
    ("faults of the batch", {"batch": replace(BATCH, events=[*COMPLETED, replace(COMPLETED[0], endpoint_id="ep_2")])}),
]


def test_a_run_without_fault_is_clean() -> None:
    assert judge(CLEAN).is_clean, judge(CLEAN).broken


def test_a_refused_stale_report_is_no_fault() -> None:
    assert judge(replace(CLEAN, entries=[*CLEAN.entries, Entry(1, 0, "a", 1, "succeed", "")])).is_clean


@pytest.mark.parametrize(("promise", "change"), BROKEN)
def test_a_broken_promise_is_found(promise: str, change: dict[str, Any]) -> None:
    assert judge(replace(CLEAN, **change)).count(promise) > 0
