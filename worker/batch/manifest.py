"""Parses the items of a manifest. Each item is a request for a job, with an id of the client's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.batch.item import Item
from worker.job import parsing
from worker.job.earlier_masks import MasksOf
from worker.job.image_object import SentImages

MAX_ID_CHARACTERS = 128  # room for a path within a data set
ITEM_ID = re.compile(rf"[^\x00-\x1f\x7f\ud800-\udfff]{{1,{MAX_ID_CHARACTERS}}}")
PRIORITY = "bulk"


@dataclass(frozen=True)
class Manifest:
    """Parses items as `parsing.parse` parses requests. An item has the `defaults` that it does not replace."""

    defaults: Mapping[str, Any]
    settings: Settings
    masks_of: MasksOf
    sent_images: SentImages

    def parse(self, fields: object) -> Item:
        """Return an item. Raises OvsegError, as `parsing.parse`."""
        item_id = id_of(fields)
        if item_id is None or not isinstance(fields, Mapping):
            message = f"each item needs an id of your own: a text of 1 to {MAX_ID_CHARACTERS} characters"
            raise OvsegError("invalid_value", message, "id")
        own = {name: value for name, value in fields.items() if name != "id"}
        request, image = parsing.parse({**self.defaults, **own}, None, self.settings, self.masks_of, self.sent_images)
        if image is not None:
            message = "a batch takes no files: give a URL, or the sha256 of an image that was sent before"
            raise OvsegError("invalid_value", message, "image")
        if request.ephemeral:
            raise OvsegError("invalid_value", "a job of a batch cannot be ephemeral", "ephemeral")
        if "priority" in {**self.defaults, **own} and request.priority != PRIORITY:
            raise OvsegError("invalid_value", f"the jobs of a batch have the priority {PRIORITY}", "priority")
        return Item(item_id, request.model_copy(update={"priority": PRIORITY}))


def id_of(fields: object) -> str | None:
    """Return the id of an item; None if it has no valid one."""
    found = fields.get("id") if isinstance(fields, Mapping) else None
    return found if isinstance(found, str) and ITEM_ID.fullmatch(found) else None
