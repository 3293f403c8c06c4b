"""How much an API key may ask for in a minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

MAXIMUM = 1_000_000_000  # of each rate; far beyond what a service can do


@dataclass(frozen=True)
class Rates:
    """The requests and prompts of a key in a minute. None: the settings decide."""

    requests_per_minute: int | None = None
    prompts_per_minute: int | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, str]) -> Rates:
        names = [field.name for field in fields(cls)]
        return cls(**{name: int(record[name]) for name in names if name in record})

    def to_record(self) -> dict[str, str]:
        """Return the fields of the record of a key with these rates."""
        return {name: str(value) for name, value in vars(self).items() if value is not None}


OF_SETTINGS = Rates()
