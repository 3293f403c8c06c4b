"""The answers of PaddleX's routes, which `gateway.paddlex` makes."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from gateway.answers.job import DetectedObject, Mask


class PaddlexEnvelope(TypedDict):
    logId: str
    errorCode: Annotated[int, Field(description="0, or the HTTP status")]
    errorMsg: str


class PaddlexInfo(TypedDict):
    label: str
    prompt: list[float] | dict[str, Any] | str
    coordinate: NotRequired[Annotated[list[float], Field(description="the detector's box, for a phrase")]]
    detection_score: NotRequired[Annotated[float, Field(description="of this box, 0 to 1")]]


class PaddlexResult(TypedDict):
    masks: list[Mask]
    maskInfos: list[PaddlexInfo]
    image: NotRequired[Annotated[str, Field(description="the overlay, a JPEG in base64")]]


class PaddlexAnswer(PaddlexEnvelope):
    result: PaddlexResult


class PaddlexDetectResult(TypedDict):
    detectedObjects: list[DetectedObject]
    image: NotRequired[Annotated[str, Field(description="the image with the boxes, a JPEG in base64")]]


class PaddlexDetectAnswer(PaddlexEnvelope):
    result: PaddlexDetectResult
