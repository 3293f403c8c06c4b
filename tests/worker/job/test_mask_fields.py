"""Masks as prompts in a request: RLE, or a mask of an earlier job."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from ovseg_core.mask import Mask
from tests.support import pictures
from worker.job import description, earlier_masks
from worker.job.earlier_masks import MAX_JOBS
from worker.job.idempotency import fingerprint
from worker.job.parsing import parse
from worker.job.record import Job
from worker.job.request import JobRequest
from worker.job.validation import InvalidRequest

SETTINGS = Settings()
URL = "https://example.com/cat.jpg"
BOX = {"box": [1, 2, 30, 40]}
COUNTS = Mask.of_crop(np.ones((5, 6), bool), (10, 10), (512, 512), None).counts
RLE = {"size": [512, 512], "counts": COUNTS}


def masks_of(job_id: str) -> Sequence[Mapping[str, Any]]:
    """Return the masks of an earlier job, as its result has them; those of the job `named` have names."""
    if job_id == "unknown":
        return earlier_masks.none(job_id)
    return [{"rleResult": COUNTS, "size": [512, 512], **({"name": "dog"} if job_id == "named" else {})}]


def parsed(*prompts: Any, image: bytes | None = None, settings: Settings = SETTINGS, **fields: Any) -> JobRequest:
    source = {} if image else {"image": URL}
    return parse({**source, "prompts": list(prompts), **fields}, image, settings, masks_of)[0]


def refused(*prompts: Any, **given: Any) -> OvsegError:
    with pytest.raises(OvsegError) as caught:
        parsed(*prompts, **given)
    return caught.value.errors[0] if isinstance(caught.value, InvalidRequest) else caught.value


@pytest.mark.parametrize(
    ("mask", "code", "field", "message"),
    [
        ({}, "invalid_prompt", "prompts[0].mask", 'or {"job": id, "index": n}'),
        ({"rle": RLE, "job": "a", "index": 0}, "invalid_prompt", "prompts[0].mask", "or {"),
        ({"rle": RLE, "index": 0}, "invalid_prompt", "prompts[0].mask", "or {"),
        ({"job": "a"}, "invalid_prompt", "prompts[0].mask", "or {"),
        ({"index": 0}, "invalid_prompt", "prompts[0].mask", "or {"),
        ("rle", "invalid_value", "prompts[0].mask", "dictionary"),
        ([RLE], "invalid_value", "prompts[0].mask", "dictionary"),
        (RLE, "unknown_field", "prompts[0].mask.size", "allowed: rle, job, index"),
        ({"job": "a", "index": -1}, "invalid_value", "prompts[0].mask.index", "greater than or equal to 0"),
        ({"job": "a", "index": True}, "invalid_value", "prompts[0].mask.index", "valid integer"),
        ({"job": "a", "index": 0.0}, "invalid_value", "prompts[0].mask.index", "valid integer"),
        ({"job": 7, "index": 0}, "invalid_value", "prompts[0].mask.job", "valid string"),
        ({"job": "", "index": 0}, "invalid_value", "prompts[0].mask.job", "match pattern"),
        ({"job": "a" * 65, "index": 0}, "invalid_value", "prompts[0].mask.job", "match pattern"),
        ({"job": "../accepted/a", "index": 0}, "invalid_value", "prompts[0].mask.job", "match pattern"),
        ({"job": "a\n", "index": 0}, "invalid_value", "prompts[0].mask.job", "match pattern"),
        ({"job": "a", "index": 1}, "mask_not_found", "prompts[0].mask.index", "the job a has 1 masks"),
        ({"job": "unknown", "index": 0}, "mask_not_found", "prompts[0].mask.job", "no job 'unknown'"),
        ({"rle": {"counts": COUNTS}}, "invalid_value", "prompts[0].mask.rle.size", "required"),
        ({"rle": {"size": [512], "counts": COUNTS}}, "invalid_value", "prompts[0].mask.rle.size", "at least 2"),
        ({"rle": {"size": [512.0, 512], "counts": COUNTS}}, "invalid_value", "prompts[0].mask.rle.size[0]", "integer"),
        (
            {"rle": {"size": [0, 512], "counts": COUNTS}},
            "invalid_prompt",
            "prompts[0].mask.rle.size",
            "[height, width]",
        ),
        ({"rle": {"size": [511, 512], "counts": COUNTS}}, "invalid_prompt", "prompts[0].mask.rle.counts", "pixels"),
        ({"rle": {"size": [512, 512], "counts": [1, 2]}}, "invalid_value", "prompts[0].mask.rle.counts", "string"),
        ({"rle": {"size": [512, 512], "counts": ""}}, "invalid_prompt", "prompts[0].mask.rle.counts", "pixels"),
        ({"rle": {"size": [512, 512], "counts": "\u00e9"}}, "invalid_prompt", "prompts[0].mask.rle.counts", "RLE"),
        ({"rle": {"size": [512, 512], "counts": COUNTS[:-1]}}, "invalid_prompt", "prompts[0].mask.rle.counts", ""),
    ],
)
def test_a_malformed_mask_is_refused_with_its_field(mask: Any, code: str, field: str, message: str) -> None:
    error = refused({"mask": mask})
    assert (error.code, error.field) == (code, field)
    assert message in error.message


def test_a_mask_of_another_size_than_the_image_is_refused() -> None:
    small = {"rle": {"size": [30, 40], "counts": Mask.of_crop(np.ones((2, 2), bool), (1, 1), (30, 40), None).counts}}
    error = refused(BOX, {"mask": small}, image=pictures.photo())
    assert (error.code, error.field) == ("mask_size_mismatch", "prompts[1].mask")
    assert parsed({"mask": small}).prompts[0].mask  # a worker checks it, once it has fetched the image


def test_the_masks_of_a_job_have_a_limit_in_bytes_and_in_earlier_jobs() -> None:
    settings = Settings(max_mask_bytes=2 * len(COUNTS))
    by_job, by_rle = {"mask": {"job": "a", "index": 0}}, {"mask": {"rle": RLE}}
    parsed(by_job, by_rle, settings=settings)
    error = refused(by_job, by_rle, by_job, settings=settings)
    assert (error.code, error.field) == ("masks_too_large", "prompts")
    prompts = [{"mask": {"job": str(n), "index": 0}} for n in range(MAX_JOBS)]
    parsed(*prompts, *prompts)
    error = refused(*prompts, by_job)
    assert (error.code, error.field) == ("invalid_prompt", f"prompts[{MAX_JOBS}].mask.job")


def test_jobs_that_do_not_exist_are_looked_up_once_and_count_against_the_limit() -> None:
    asked = []

    def masks_of(job_id: str) -> Sequence[Mapping[str, Any]]:
        asked.append(job_id)
        return earlier_masks.none(job_id)

    prompts = [{"mask": {"job": str(n % 100), "index": 0}} for n in range(1000)]
    with pytest.raises(InvalidRequest) as caught:
        parse({"image": "https://example.com/cat.jpg", "prompts": prompts}, None, Settings(), masks_of)
    assert asked == [str(n) for n in range(MAX_JOBS)]
    assert caught.value.count == 1000
    codes = [error.code for error in caught.value.errors[: MAX_JOBS + 1]]
    assert codes == ["mask_not_found"] * MAX_JOBS + ["invalid_prompt"]


def test_a_mask_of_an_earlier_job_becomes_a_part_of_the_request() -> None:
    by_job, by_rle = parsed({"mask": {"job": "a", "index": 0}, **BOX}), parsed({"mask": {"rle": RLE}, **BOX})
    assert by_job == by_rle == JobRequest.model_validate_json(by_job.model_dump_json())
    assert fingerprint(by_job) == fingerprint(by_rle) != fingerprint(parsed(BOX))
    described = json.loads(json.dumps(description.describe(Job.accepted("mine", by_job, "0"))))
    assert described["prompts"] == [{"box": [1.0, 2.0, 30.0, 40.0], "mask": {"rle": RLE}}]


def test_all_masks_of_each_prompt_are_requested_by_multimask() -> None:
    every, best, default = parsed(BOX, multimask="all"), parsed(BOX, multimask="best"), parsed(BOX)
    shown = [description.describe(Job.accepted("mine", each, "0"))["multimask"] for each in (every, best, default)]
    assert shown == ["all", "best", "best"]
    assert fingerprint(every) != fingerprint(best) == fingerprint(default)
    assert JobRequest.model_validate_json(every.model_dump_json()) == every
    error = refused(BOX, multimask=True)
    assert (error.code, error.field) == ("invalid_value", "multimask")
    with pytest.raises(OvsegError, match="no candidates"):
        parse({"image": URL, "prompts": "everything", "multimask": "all"}, None, SETTINGS)


def test_a_refined_mask_keeps_the_name_of_its_object() -> None:
    refines = {"mask": {"job": "named", "index": 0}}
    request = parsed(refines, {**refines, "name": "Rex"}, BOX, {"mask": {"job": "other", "index": 0}})
    assert [note.name for note in request.notes or ()] == ["dog", "Rex", None, None]
