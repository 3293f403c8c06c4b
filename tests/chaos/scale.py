"""The size of a run: jobs, kills, outages."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class Scale:
    """The size of a run.

    For `seconds`, jobs are submitted and faults occur; the rest is finished after that. Half of the worker kills are
    aimed at a publish. `worker_freezes` stop a worker until its lease has ended and then let it continue, so that it
    reports on jobs that another worker now holds.
    """

    name: str
    jobs: int
    seconds: float
    worker_kills: int = 0
    worker_freezes: int = 0
    valkey_kills: int = 0
    seaweedfs_kills: int = 0
    gateway_kills: int = 0
    sender_kills: int = 0
    reaper_kills: int = 0
    network_faults: int = 0
    s3_outage_seconds: float = 0
    valkey_freeze_seconds: float = 0
    batch_items: int = 0  # of one manifest; the gateway is killed while it reads it
    batch_ends: int = 0  # the batch is canceled when so many of its items have ended; 0: never
    gateways: int = 1
    workers: int = 3
    reapers: int = 2
    patience_seconds: float = 180  # for the rest, after the last fault

    def times(self, share: float) -> Scale:
        """Return a smaller scale. Outages last as long."""
        if share == 1:
            return self
        kept = ("gateways", "workers", "reapers", "patience_seconds", "s3_outage_seconds", "valkey_freeze_seconds")
        counts = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("name", *kept)}
        fewer = {name: type(count)(math.ceil(count * share)) for name, count in counts.items()}
        return replace(self, name=f"{share:g} of {self.name}", **fewer)


SMALL = Scale(
    name="small",
    jobs=400,
    seconds=90,
    worker_kills=25,
    worker_freezes=3,
    valkey_kills=3,
    seaweedfs_kills=1,
    gateway_kills=3,
    sender_kills=3,
    reaper_kills=3,
    network_faults=3,
    s3_outage_seconds=6,
    valkey_freeze_seconds=3,
    batch_items=5000,
    batch_ends=200,
)
FULL = Scale(
    name="full",
    jobs=5000,
    seconds=1500,
    worker_kills=300,
    worker_freezes=30,
    valkey_kills=20,
    seaweedfs_kills=10,
    gateway_kills=20,
    sender_kills=20,
    reaper_kills=20,
    network_faults=40,
    s3_outage_seconds=60,
    valkey_freeze_seconds=30,
    batch_items=5000,
    patience_seconds=600,
)
SCALES = {scale.name: scale for scale in (SMALL, FULL)}
