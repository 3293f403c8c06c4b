"""Reads JSON and refuses what other programs could not read, or what parsing would drop."""

from __future__ import annotations

import json
from typing import Any

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.job.client_text import brief
from worker.job.validation import MAX_DIGITS


def read(data: bytes, settings: Settings) -> Any:
    """Return the value of JSON in UTF-8, UTF-16 or UTF-32. Raises OvsegError `invalid_json`, `body_too_large`."""
    _check_size(data, settings)
    try:
        text = data.decode(json.detect_encoding(data))
        return json.loads(text, parse_int=_integer, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        message = f"not {error.encoding.upper()}: {error.reason} at byte {error.start:,}"
        raise OvsegError("invalid_json", message) from error
    except RecursionError as error:
        raise OvsegError("invalid_json", "the JSON is nested too deeply") from error
    except ValueError as error:
        raise OvsegError("invalid_json", f"not JSON: {error}") from error


def _check_size(data: bytes, settings: Settings) -> None:
    """Refuse JSON with too many values before it is parsed: a megabyte of `[[[],[],...` takes 100 MB as lists."""
    # A box takes 8 of these characters, a point with its label 4, a point of a grid 3; the rest is for metadata and
    # mistakes.
    max_points = settings.max_total_points + settings.max_everything_points
    max_values = 20 * settings.max_prompts + 5 * max_points + 50_000
    if sum(data.count(character) for character in b",[{") > max_values:
        raise OvsegError("body_too_large", f"the JSON has more than {max_values:,} values")


def _integer(digits: str) -> int:
    """Parse an integer, but at most one digit more than is allowed: validation then refuses it and names its field."""
    return int(digits[: MAX_DIGITS + 2])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise OvsegError("invalid_json", f"the name {brief(name)!r} occurs twice in one object")
        found[name] = value
    return found
