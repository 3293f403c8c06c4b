"""The result of a job: masks, as RLE, polygons or arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ovseg_client import rle
from ovseg_client.errors import OvsegError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Mask:
    """One mask of a result.

    Attributes:
        score: The network's estimate of the mask's IoU with the object, 0 to 1.
        box: Tight around the mask: x0, y0, x1, y1 in pixels of the upright image.
        area: In pixels.
        prompt_index: The position of its prompt in the request, from 0.
        info: All that the service states about the mask: an entry of `maskInfos` of the HTTP API.
        rle: COCO's compressed RLE, `{"size": [height, width], "counts": ...}`, as pycocotools takes it; None without
            the output `rle`.
        polygons: Its parts, each `{"exterior": [[x, y], ...], "holes": [...]}`; None without the output `polygons`.
    """

    def __init__(self, info: Mapping[str, Any], mask: Mapping[str, Any] | None, polygons: list[Any] | None) -> None:
        self.info = info
        self.score: float = info["score"]
        self.box: list[int] = info["box"]
        self.area: int = info["area"]
        self.prompt_index: int = info.get("prompt_index", 0)
        self.rle = {"size": mask["size"], "counts": mask["rleResult"]} if mask else None
        self.polygons = polygons

    @property
    def label(self) -> str:
        """The name of its prompt, its phrase, or the kind of its prompt, such as `box_prompt`."""
        label = self.info.get("name")
        if label is None and self.info["label"] == "text_prompt":
            label = self.info["prompt"]
        return str(self.info["label"] if label is None else label)

    @cached_property
    def array(self) -> NDArray[np.bool_]:
        """The mask as an array (height, width) of bool. It is decoded at the first access, and kept.

        Raises:
            OvsegError: The job was sent without the output `rle`.
            ImportError: NumPy is not installed.
        """
        if self.rle is None:
            raise OvsegError("there is no RLE to decode: the request left the output 'rle' out")
        return rle.decode(self.rle["counts"], *self.rle["size"])

    def __repr__(self) -> str:
        return f"<Mask {self.label!r} score={self.score:.3f} box={self.box} area={self.area}>"


class Result:
    """The result of a job that succeeded. It can be iterated: one mask after the other.

    Attributes:
        job_id: The id of the job.
        width: Of the upright image, in pixels.
        height: Of the upright image, in pixels.
        raw: The job object of the HTTP API, with everything else.
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.job_id: str = raw["id"]
        self.width: int = raw["image"]["width"]
        self.height: int = raw["image"]["height"]

    @cached_property
    def masks(self) -> list[Mask]:
        """The masks, in the order of their prompts.

        Raises:
            OvsegError: The result is no longer in storage.
        """
        found = self.raw["result"]
        if found is None:
            gone = self.raw["result_gone"] or {}
            raise OvsegError(f"the result of job {self.job_id} cannot be read: {gone.get('reason', 'it is gone')}")
        infos = found["maskInfos"]
        masks, polygons = found.get("masks"), found.get("polygons")
        return [
            Mask(info, masks[i] if masks else None, polygons[i] if polygons else None) for i, info in enumerate(infos)
        ]

    def __iter__(self) -> Iterator[Mask]:
        return iter(self.masks)

    def __len__(self) -> int:
        return len(self.masks)

    def __repr__(self) -> str:
        return f"<Result {self.job_id} {self.width}x{self.height}>"
