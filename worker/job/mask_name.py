"""The name of the object of a mask in a result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.job.text_prompt import LABEL

UNNAMED = "object"  # shown for a mask whose prompt has neither a name nor a phrase


def of(info: Mapping[str, Any]) -> str | None:
    """Return the name of a mask's prompt; without one, its phrase if a detector found the object; else None.

    `info` is the mask's entry in `maskInfos`.
    """
    name: str | None = info.get("name", info["prompt"] if info.get("label") == LABEL else None)
    return name
