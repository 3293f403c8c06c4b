"""A plain model of the lines of queued jobs: which job is next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

WEIGHTS = {"interactive": 64, "normal": 8, "bulk": 1}


def weight_of_lane(lane: str) -> int:
    return WEIGHTS[lane.removesuffix(".light")]


@dataclass(frozen=True)
class Waiting:
    """A job in a line. `cost` is what it costs in its lane."""

    id: str
    owner: str
    lane: str
    cost: int


@dataclass
class Level:
    """Members that take turns, and those that left before their turn came."""

    turns: dict[str, float] = field(default_factory=dict)
    left: dict[str, float] = field(default_factory=dict)
    clock: float = 0.0

    def join(self, member: str) -> None:
        self.turns.setdefault(member, max(self.clock, self.left.pop(member, self.clock)))

    def leave(self, member: str) -> None:
        self.left[member] = self.turns.pop(member)
        if not self.turns:
            self.left.clear()
            self.clock = 0.0

    def charge(self, member: str, cost: float) -> None:
        self.clock = min(self.turns.values())
        self.turns[member] += cost

    def in_order(self, order: Callable[[str], object] = str) -> list[str]:
        """Return the members by their turn; those with the same turn in an order."""
        return sorted(self.turns, key=lambda member: (self.turns[member], order(member)))


class Model:
    """The lines of one queue. `weight_of` returns the weight of a tenant."""

    def __init__(self, weight_of: Callable[[str], int]) -> None:
        self.weight_of = weight_of
        self.lines: dict[tuple[str, str], list[Waiting]] = {}
        self.lanes = Level()
        self.owners: dict[str, Level] = {}

    def enter(self, job: Waiting, is_first: bool = False) -> None:
        line = self.lines.setdefault((job.lane, job.owner), [])
        line.insert(0 if is_first else len(line), job)
        self.owners.setdefault(job.lane, Level()).join(job.owner)
        self.lanes.join(job.lane)

    def leave(self, job: Waiting) -> None:
        self.lines[job.lane, job.owner].remove(job)
        if not self.lines[job.lane, job.owner]:
            self.owners[job.lane].leave(job.owner)
        if not self.owners[job.lane].turns:
            self.lanes.leave(job.lane)

    def next(self, only_light: bool = False) -> Waiting | None:
        for lane in self.lanes.in_order(lambda lane: (-weight_of_lane(lane), not lane.endswith(".light"))):
            if lane.endswith(".light") or not only_light:
                return self.lines[lane, self.owners[lane].in_order()[0]][0]
        return None

    def begin(self, only_light: bool = False) -> Waiting | None:
        job = self.next(only_light)
        if job is not None:
            self.lanes.charge(job.lane, job.cost / weight_of_lane(job.lane))
            self.owners[job.lane].charge(job.owner, job.cost / self.weight_of(job.owner))
            self.leave(job)
        return job

    @property
    def waiting(self) -> list[Waiting]:
        return [job for line in self.lines.values() for job in line]
