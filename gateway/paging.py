"""Lists that are answered page by page: `?limit=` and `?cursor=`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator

from gateway import query

Item = TypeVar("Item")

DEFAULT, LARGEST = 20, 100
# A page ends early rather than be larger: a hundred jobs of a thousand prompts each would be 50 MB.
PAGE_BYTES = 1_000_000


def _cursor(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,16}", text):
        raise ValueError("must be a next_cursor of an earlier answer")
    return text


class PageQuery(query.Query):
    """How many items the client wants on a page, and where it begins: None for the first."""

    limit: Annotated[int, query.whole_number(1, LARGEST)] = DEFAULT
    cursor: Annotated[str, AfterValidator(_cursor)] | None = None


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
