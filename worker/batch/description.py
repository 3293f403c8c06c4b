"""The batch object: the same JSON when a batch is submitted, shown or listed."""

from __future__ import annotations

from typing import Any

from worker.batch.batch import Batch
from worker.store.clock import timestamp

BATCHES = "/v1/batches"  # the path of the gateway's routes for batches


def describe(batch: Batch, eta_s: float | None = None) -> dict[str, Any]:
    """Return the batch object. `eta_s` is in how many seconds it is expected to complete, if that is known."""
    counts, path = batch.counts, f"{BATCHES}/{batch.shown_id}"
    return {
        "id": batch.shown_id,
        "status": batch.status,
        "is_final": batch.has_ended,
        "urls": {
            "self": path,
            **{name: f"{path}/{name}" for name in ("cancel", "retry", "results")},
            "jobs": f"/v1/jobs?batch={batch.shown_id}",
        },
        "counts": {"total": counts.total, "waiting": counts.waiting, **counts.by_status},
        "progress": {"done": counts.ended, "total": counts.total},
        "eta_s": eta_s,
        "created_at": timestamp(batch.created_at),
        "sealed_at": timestamp(batch.sealed_at),
        "canceled_at": timestamp(batch.canceled_at),
        "completed_at": timestamp(batch.completed_at),
    }
