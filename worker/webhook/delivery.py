"""One try to deliver an event, and its outcome."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from http import HTTPStatus


@dataclass(frozen=True)
class Delivery:
    """One try to deliver an event.

    `status` is the HTTP status of the answer. `error` is the reason why there was no answer. One of the two is None.
    `answer` is the start of the answer's body.
    """

    at: datetime
    url: str
    status: int | None
    error: str | None
    duration_ms: float
    answer: str = ""

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_unwanted(self) -> bool:
        """True if the receiver answered 410: it is gone and does not want another try."""
        return self.status == HTTPStatus.GONE

    @property
    def outcome(self) -> str:
        """`answered` and the status, or the error."""
        return f"answered {self.status}" if self.status is not None else str(self.error)

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "at": self.at.isoformat()})

    @classmethod
    def from_json(cls, text: str) -> Delivery:
        fields = json.loads(text)
        return cls(**{**fields, "at": datetime.fromisoformat(fields["at"])})
