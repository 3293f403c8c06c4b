"""Splits lists into pages: `?limit=` and `?cursor=`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Annotated, Any

from flask import Response, jsonify
from pydantic import AfterValidator, WithJsonSchema

from gateway import query

DEFAULT_LIMIT, MAX_LIMIT = 20, 100
# A page ends early when it reaches this size: 100 jobs with 1,000 prompts each would take 50 MB.
PAGE_BYTES = 1_000_000

CURSOR = re.compile("[0-9]{1,16}")
CURSOR_SCHEMA = {
    "type": "string",
    "pattern": f"^{CURSOR.pattern}$",
    "description": "`next_cursor` of an earlier answer",
}


def _cursor(text: str) -> str:
    if not CURSOR.fullmatch(text):
        raise ValueError("must be the next_cursor of an earlier answer")
    return text


Cursor = Annotated[str, AfterValidator(_cursor), WithJsonSchema(CURSOR_SCHEMA)]


class PageQuery(query.Query):
    """The number of items on a page, and the cursor where it begins: None for the first page."""

    limit: Annotated[int, query.whole_number(1, MAX_LIMIT)] = DEFAULT_LIMIT
    cursor: Cursor | None = None


def answer(name: str, items: Iterable[tuple[dict[str, Any], str]], next_cursor: str | None) -> Response:
    """Answer a page of items, until PAGE_BYTES of JSON are reached (at least one), and the cursor of the next page.

    Args:
        name: the name of the list in the answer.
        items: the JSON of each item, and the cursor of the page that begins after it.
        next_cursor: the cursor of the page that begins after all items, None if there is none.
    """
    shown: list[dict[str, Any]] = []
    size, cursor = 0, None
    for item, cursor_after in items:
        size += len(json.dumps(item))
        if shown and size > PAGE_BYTES:
            next_cursor = cursor
            break
        shown.append(item)
        cursor = cursor_after
    return jsonify({name: shown, "next_cursor": next_cursor})
