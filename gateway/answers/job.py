"""The job object, which `worker.job.description` makes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from worker.job.everything import OptionsJson
from worker.job.mask_fields import RleFields
from worker.job.prompt_note import PromptId
from worker.job.record import Status
from worker.job.request import Options, Output


class JobError(TypedDict):
    code: str
    message: str
    field: str | None


class ShownMask(TypedDict):
    rle: RleFields


class ShownPrompt(TypedDict):
    """A prompt as it was submitted; one that is skipped has its `error` in place of its coordinates."""

    box: NotRequired[list[float]]
    points: NotRequired[list[list[float]]]
    labels: NotRequired[list[int]]
    mask: NotRequired[ShownMask]
    text: NotRequired[str | list[str]]
    id: NotRequired[PromptId]
    name: NotRequired[str]
    error: NotRequired[JobError]


class ShownEverything(TypedDict):
    everything: OptionsJson


class ShownDetect(TypedDict):
    detect: Annotated[str, Field(description="the prompt of a job that only finds boxes, of PaddleX's route")]


class Image(TypedDict):
    url: str | None
    key: Annotated[str | None, Field(description="in the bucket, of a file that was sent")]
    width: Annotated[int | None, Field(description="pixels of the upright image, once it has been read")]
    height: int | None
    format: str | None


class Place(TypedDict):
    ahead: Annotated[int, Field(description="jobs that wait in front of it for the same device")]
    eta_s: Annotated[float | None, Field(description="seconds until it is expected to end")]


class Progress(TypedDict):
    done: int
    total: int


class OfBatch(TypedDict):
    """The batch that the job is of."""

    id: str
    item: Annotated[str, Field(description="the id of the item that the job was made of")]


class Urls(TypedDict):
    """The paths of this job's routes."""

    self: str
    cancel: str
    retry: str
    files: str


class StoredFile(TypedDict):
    key: Annotated[str, Field(description="in the bucket")]
    url: Annotated[str | None, Field(description="works for at least an hour without credentials; null in lists")]


class Files(TypedDict):
    """The files of a succeeded job; none before."""

    result: NotRequired[StoredFile]
    overlay: NotRequired[StoredFile]
    masks: NotRequired[list[StoredFile]]


class JobFiles(TypedDict):
    files: Files


class MaskInfo(TypedDict):
    label: Annotated[str, Field(description="the kind of the prompt in PaddleX's words, such as `box_prompt`")]
    prompt: Annotated[
        list[float] | dict[str, Any] | str,
        Field(description="the box, the point, the phrase, or an object of several of these"),
    ]
    score: Annotated[float | None, Field(description="the network's estimate of the mask's IoU, 0 to 1")]
    box: Annotated[list[int], Field(description="tight around the mask: x0, y0, x1, y1")]
    area: Annotated[int, Field(description="pixels")]
    prompt_index: NotRequired[Annotated[int, Field(description="position of the prompt in the request, from 0")]]
    phrase_index: NotRequired[Annotated[int, Field(description="position of the phrase in its prompt, from 0")]]
    coordinate: NotRequired[
        Annotated[list[float], Field(description="the detector's box, for a phrase: x0, y0, x1, y1 in pixels")]
    ]
    detection_score: NotRequired[Annotated[float, Field(description="of the detector's box, 0 to 1")]]
    stability_score: NotRequired[Annotated[float, Field(description="0 to 1, in everything mode")]]
    id: NotRequired[PromptId]
    name: NotRequired[str]


class Mask(TypedDict):
    """COCO's compressed RLE."""

    rleResult: Annotated[str, Field(description="`counts` of pycocotools")]
    size: Annotated[list[int], Field(description="height and width")]


class Part(TypedDict):
    exterior: Annotated[list[list[float]], Field(description="points [x, y]")]
    holes: list[list[list[float]]]


class MadeBy(TypedDict):
    model: str
    sha256: Annotated[str, Field(description="of the weights that ran")]
    ovseg: Annotated[str, Field(description="the version")]


class SkippedPrompt(TypedDict):
    prompt_index: int
    id: NotRequired[PromptId]
    name: NotRequired[str]
    error: JobError


class DetectedObject(TypedDict):
    bbox: Annotated[list[float], Field(description="x0, y0, x1, y1 in pixels, perhaps beyond the image")]
    categoryName: Annotated[str, Field(description="the words of the prompt that fit the box, as PaddleX joins them")]
    score: Annotated[float, Field(description="of the best word, 0 to 1")]


class Result(TypedDict):
    """The masks, in PaddleX's terms. Element i of each list belongs to mask i."""

    maskInfos: list[MaskInfo]
    masks: NotRequired[Annotated[list[Mask], Field(description="with the output `rle`")]]
    polygons: NotRequired[Annotated[list[list[Part]], Field(description="with the output `polygons`")]]
    detectedObjects: NotRequired[Annotated[list[DetectedObject], Field(description="of PaddleX's route for detection")]]
    made_by: NotRequired[MadeBy]
    skipped: NotRequired[Annotated[list[SkippedPrompt], Field(description='with `"on_invalid_prompt": "skip"`')]]
    masks_dropped: NotRequired[Annotated[int, Field(description="masks that everything mode found beyond the limit")]]


class ResultDocument(TypedDict):
    """The file `result.json`."""

    logId: Annotated[str, Field(description="the id of the job")]
    result: Result
    errorCode: int
    errorMsg: str


class FileInTheMaking(TypedDict):
    status: Literal["making"]


class ResultGone(TypedDict):
    reason: Literal["removed_from_storage", "archived_in_storage", "evicted"]


def _all_required(schema: dict[str, Any]) -> None:
    """Make every field required: also the options of a request, which a request may leave out."""
    schema["required"] = list(schema["properties"])


class JobObject(Options):
    """The same JSON when a job is submitted, read, listed, or sent to a webhook. It also has each option of a request,
    as submitted.
    """

    model_config = ConfigDict(defer_build=True, json_schema_extra=_all_required)

    id: str = Field(description="a UUID (version 7), or the id that the client chose")
    status: Status
    is_final: bool = Field(description="true if `status` is final: succeeded, failed, canceled or expired")
    urls: Urls
    queue: Place | None = Field(description="of a queued job that is read alone")
    model: str
    outputs: list[Output]
    prompts: list[ShownPrompt] | ShownEverything | ShownDetect
    detector: str | None = Field(description="of a job with text prompts")
    detection: dict[str, Any] | None = Field(description="the given options of the detector")
    multimask: Literal["best", "all"] | None
    on_invalid_prompt: Literal["fail", "skip"] | None
    polygons: dict[str, Any] | None
    ephemeral: bool
    batch: OfBatch | None
    image: Image
    accepted_at: datetime
    started_at: datetime | None
    cancel_requested_at: datetime | None
    completed_at: datetime | None
    attempt: int = Field(description="how many times the job was begun")
    worker: str | None
    progress: Progress | None = Field(description="of an attempt: points of everything mode, or passes of phrases")
    timings_ms: dict[str, float] = Field(description="milliseconds of each stage")
    engine: str | None = Field(description="what ran the network, of a succeeded job")
    precision: str | None
    embedding_cache: Literal["miss", "hit", "shared"] | None
    error: JobError | None = Field(description="of a failed job")
    files: Files
    result: Result | None = Field(
        description="of a succeeded job; null in lists, and in webhooks if it is larger than 256 kB"
    )
    result_gone: ResultGone | None = Field(description="why the result of a succeeded job cannot be read")


class ChangeProblem(TypedDict):
    """The problem that the route of a single job would answer."""

    type: str
    title: str
    status: int
    detail: str
    code: str


class Change(TypedDict):
    id: str
    status: Annotated[str | None, Field(description="null if there is a problem")]
    problem: ChangeProblem | None


class Changes(TypedDict):
    count: Annotated[int, Field(description="jobs without a problem")]
    results: list[Change]
    next_cursor: str | None


class JobPage(TypedDict):
    jobs: list[JobObject]
    next_cursor: str | None
