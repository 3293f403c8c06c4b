"""Splits lists into pages: `?limit=` and `?cursor=`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator

from gateway import query

Item = TypeVar("Item")

DEFAULT_LIMIT, MAX_LIMIT = 20, 100
# A page ends early when it reaches this size: 100 jobs with 1,000 prompts each would take 50 MB.
PAGE_BYTES = 1_000_000


def _cursor(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,16}", text):
        raise ValueError("must be the next_cursor of an earlier answer")
    return text


class PageQuery(query.Query):
    """The number of items on a page, and the cursor where it begins: None for the first page."""

    limit: Annotated[int, query.whole_number(1, MAX_LIMIT)] = DEFAULT_LIMIT
    cursor: Annotated[str, AfterValidator(_cursor)] | None = None


def page(
    items: Sequence[Item],
    describe: Callable[[Item], dict[str, Any]],
    cursor_after: Callable[[int], str],
    next_cursor: str | None,
) -> tuple[list[dict[str, Any]], str | None]:
    """Describe items until PAGE_BYTES of JSON are reached (at least one), and return them with the next page's cursor.

    Args:
        items: the items for the page, as many as the client asked for.
        describe: returns an item's JSON.
        cursor_after: returns the cursor of the page that begins after the first n of the items.
        next_cursor: the cursor of the page that begins after all of them, None if there is none.
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
