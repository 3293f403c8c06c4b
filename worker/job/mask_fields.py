"""A mask as a prompt, in a request: COCO's compressed RLE, or a mask of an earlier job."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from ovseg_core.errors import OvsegError
from ovseg_core.mask_prompt import MaskPrompt
from worker.job import earlier_masks
from worker.job.client_text import brief
from worker.job.earlier_masks import MasksOf

JOB_ID = r"^[A-Za-z0-9_-]{1,64}$"  # the ids of clients and our own; no other text becomes a part of a key in storage


class RleFields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    size: Annotated[list[int], Field(min_length=2, max_length=2)]
    counts: str

    @property
    def parsed(self) -> MaskPrompt:
        """The mask. Raises OvsegError `invalid_prompt` for a string that is no RLE of this size."""
        height, width = self.size
        return MaskPrompt((height, width), self.counts)


class Resolved(NamedTuple):
    """A mask, and the name of its object if an earlier job has one."""

    rle: RleFields
    name: str | None = None


class MaskFields(BaseModel):
    """Either `rle`, or `job` and `index`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    rle: RleFields | None = None
    job: Annotated[str, Field(pattern=JOB_ID)] | None = None
    index: Annotated[int, Field(ge=0)] | None = None

    def resolved(self, masks_of: MasksOf) -> Resolved:
        """Return the mask itself: the request is then complete, and a retry of it needs no earlier job.

        Raises OvsegError `invalid_prompt`, `mask_not_found`; its `field` begins with `mask`.
        """
        if self.rle is not None and self.job is None and self.index is None:
            return Resolved(self.rle)
        if self.rle is not None or self.job is None or self.index is None:
            message = 'give {"rle": {"size": [height, width], "counts": "..."}}, or {"job": id, "index": n}'
            raise OvsegError("invalid_prompt", message, "mask")
        masks = masks_of(self.job)
        if self.index >= len(masks):
            message = f"the job {brief(self.job)} has {len(masks):,} masks; the index of the first is 0"
            raise earlier_masks.not_found(message, "mask.index")
        mask = masks[self.index]
        return Resolved(RleFields(size=mask["size"], counts=mask["rleResult"]), mask.get("name"))
