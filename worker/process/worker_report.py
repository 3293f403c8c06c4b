"""What a worker reports about itself with each heartbeat."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from worker.process.model_report import ModelReport
from worker.store.clock import microseconds, moment


@dataclass(frozen=True)
class Process:
    """The process of a worker. `device` is "cpu" or "gpu:N"; `slots` is how many jobs it runs at the same time."""

    device: str
    version: str
    slots: int
    started_at: datetime
    lease_seconds: float
    is_draining: bool = False  # it finishes its running jobs, and begins no more

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Process:
        """Return what `fields` describes; those that a later version has added are left out."""
        known = {name: fields[name] for name in cls.__dataclass_fields__}
        return cls(**{**known, "started_at": moment(known["started_at"])})

    @property
    def fields(self) -> dict[str, Any]:
        return asdict(self) | {"started_at": microseconds(self.started_at)}


@dataclass(frozen=True)
class WorkerReport:
    """What a worker reports. `process` is None if the worker's version is too old to report that."""

    models: ModelReport
    process: Process | None = None

    @property
    def slots(self) -> int:
        """Return the slots of the worker; 0 if it does not report that."""
        return self.process.slots if self.process else 0

    @classmethod
    def from_json(cls, written: str) -> WorkerReport:
        process = json.loads(written).get("process")
        return cls(ModelReport.from_json(written), Process.from_fields(process) if process else None)

    def to_json(self) -> str:
        """Return the JSON for Redis. The models are not nested: gateways of earlier versions read only them."""
        process = {"process": self.process.fields} if self.process else {}
        return json.dumps({**self.models.fields, **process}, separators=(",", ":"))
