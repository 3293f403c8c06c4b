"""Lists that are answered page by page: `?limit=` and `?cursor=`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import request

from gateway import query
from ovseg_core.errors import OvsegError

Item = TypeVar("Item")

DEFAULT, LARGEST = 20, 100
# A page ends early rather than be larger: a hundred jobs of a thousand prompts each would be 50 MB.
PAGE_BYTES = 1_000_000


def limit(default: int = DEFAULT) -> int:
    """How many the client wants on a page. Raises OvsegError."""
    return query.whole_number("limit", default, 1, LARGEST)


def cursor() -> str | None:
    """Where the page begins, None for the first. Raises OvsegError."""
    found = request.args.get("cursor")
    if found is not None and not re.fullmatch(r"[0-9]{1,16}", found):
        raise OvsegError("invalid_value", "must be a next_cursor of an earlier answer", "cursor")
    return found


def page(
    items: Sequence[Item],
    describe: Callable[[Item], dict[str, Any]],
    cursor_after: Callable[[int], str],
    next_cursor: str | None,
) -> tuple[list[dict[str, Any]], str | None]:
    """The first of the items, one at least, that fit into PAGE_BYTES of JSON, and the cursor for the rest.

    `cursor_after(n)` is the cursor of what follows the first n items, `next_cursor` of what follows all of them.
    """
    shown: list[dict[str, Any]] = []
    size = 0
    for item in items:
        described = describe(item)
        size += len(json.dumps(described))
        if shown and size > PAGE_BYTES:
            return shown, cursor_after(len(shown))
        shown.append(described)
    return shown, next_cursor
