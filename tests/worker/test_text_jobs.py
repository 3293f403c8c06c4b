"""A worker runs jobs with text prompts: phrases to boxes to masks, with a detector of two colours.

Boxes that were swapped, mirrored, shifted or wrongly scaled would give other masks than those of the drawn objects.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from configs.settings import Settings
from ovseg_core import models
from ovseg_core.grounding_dino.detections import Searched
from ovseg_core.grounding_dino.detector import Detector, EncodedImage, EncodedText, Pass
from ovseg_core.grounding_dino.text import Text
from ovseg_core.paddlex import detection_prompt
from ovseg_core.paddlex.thresholds import Thresholds
from tests.chaos.box_inference import BoxInference
from tests.support import colour_worker, followed, pictures
from tests.support.colour_worker import Cell
from tests.support.waiting import wait_until
from worker import tasks
from worker.image.content import ImageContent
from worker.inference.detectors import Detectors
from worker.job import result_document
from worker.job.acceptance import new_id
from worker.job.parsing import parse
from worker.job.record import Job
from worker.job.request import JobRequest
from worker.store.clock import MICROSECONDS
from worker.worker_services import WorkerServices

HW = (240, 380)
CERTAIN = {"box_threshold": 0.55, "text_threshold": 0.55}  # zeros are logits of words that do not fit
OBJECTS: dict[Cell, str] = {(0, 1): "r", (1, 4): "g", (2, 0): "r"}


class Watched(Detector):
    """The colour detector. `before` is called before each pass."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.before: Callable[[], None] = lambda: None
        self.passes_done = 0

    def encode(self, image_rgb: np.ndarray) -> EncodedImage:
        return self._detector.encode(image_rgb)

    def search(self, image: EncodedImage, phrases: Pass) -> Searched:
        self.before()
        self.passes_done += 1
        return self._detector.search(image, phrases)

    def encode_text(self, asked: Text) -> EncodedText:
        return self._detector.encode_text(asked)

    def answer(self, image: EncodedImage, encoded: EncodedText) -> tuple[np.ndarray, np.ndarray]:
        return self._detector.answer(image, encoded)


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return colour_worker.made(tmp_path_factory.mktemp("detector"))


@pytest.fixture
def watched(colours: Detector) -> Watched:
    return Watched(colours)


@pytest.fixture
def services(s3_settings: Settings, watched: Watched) -> Iterator[WorkerServices]:
    detectors = Detectors("cpu", "auto", open_detector=lambda *_: watched)
    opened = WorkerServices(s3_settings, "cpu", detectors=detectors)
    yield opened
    opened.close()


def image(objects: dict[Cell, str] = OBJECTS) -> bytes:
    return pictures.encoded(Image.fromarray(colour_worker.scene(objects, HW)), "PNG")


def run(services: WorkerServices, prompts: list[dict[str, Any]], file: bytes = b"", **options: Any) -> Job:
    """Run a job with these prompts, and return it."""
    detection = {"detection": CERTAIN} if any("text" in prompt for prompt in prompts) else {}
    body = {"prompts": prompts, "outputs": ["rle"], **detection, **options}
    request, content = parse(body, file or image(), services.settings)
    job_id = new_id()
    services.acceptance.accept(job_id, request, content)
    tasks.segment(job_id, services)
    return read(services, job_id)


def read(services: WorkerServices, job_id: str) -> Job:
    job = services.jobs.get(job_id)
    assert job is not None
    return job


def result(services: WorkerServices, job: Job) -> dict[str, Any]:
    assert job.status == "succeeded", job.error
    return result_document.read_result(job, services.storage)


def overlap(mask: dict[str, Any], cell: Cell) -> float:
    """Return the IoU of a mask of a result and the object in a cell."""
    found = coco_mask.decode({"size": mask["size"], "counts": mask["rleResult"]}).astype(bool)
    x0, y0, x1, y1 = colour_worker.box(cell, HW)
    expected = np.zeros(HW, bool)
    expected[y0:y1, x0:x1] = True
    return float((found & expected).sum() / (found | expected).sum())


def test_a_phrase_gives_the_masks_of_its_things_in_the_order_of_the_prompts_then_of_the_scores(
    services: WorkerServices,
) -> None:
    box = list(colour_worker.box((1, 4), HW))
    prompts: list[dict[str, Any]] = [{"text": ["g", "R"], "id": 7, "name": "pets"}, {"box": box}, {"text": "g"}]
    job = run(services, prompts)
    made = result(services, job)
    infos = made["maskInfos"]
    assert [(info["label"], info["prompt_index"], info.get("phrase_index")) for info in infos] == [
        *[("text_prompt", 0, info["phrase_index"]) for info in infos[:3]],
        ("box_prompt", 1, None),
        ("text_prompt", 2, 0),
    ]
    words = [info["prompt"] for info in infos]
    assert (sorted(words[:3]), words[3:]) == (["R", "R", "g"], [box, "g"])
    scores = [info["detection_score"] for info in infos[:3]]
    assert scores == sorted(scores, reverse=True)
    assert all((info["id"], info["name"]) == (7, "pets") for info in infos[:3])
    for info, mask in zip(infos, made["masks"], strict=True):
        cells = [cell for cell, word in OBJECTS.items() if word == str(info["prompt"]).lower()] or [(1, 4)]
        cell = max(cells, key=lambda each: overlap(mask, each))
        assert overlap(mask, cell) > 0.8
        if "coordinate" in info:
            assert info["coordinate"] == pytest.approx(colour_worker.box(cell, HW), abs=2)
    assert len({tuple(info["coordinate"]) for info in infos[:3]}) == 3
    assert (job.mask_count, made["made_by"]["model"]) == (5, "SAM-Lite")


def test_the_overlay_shows_the_phrases_and_the_names_of_prompts(services: WorkerServices) -> None:
    box = list(colour_worker.box((1, 4), HW))

    def overlay(prompts: list[dict[str, Any]]) -> np.ndarray:
        job = run(services, prompts, outputs=["overlay"])
        file = services.storage.get(f"{job.files_prefix}overlay.jpg")
        return np.asarray(Image.open(io.BytesIO(file))).astype(int)

    without, with_name = overlay([{"box": box}]), overlay([{"box": box, "name": "green"}])
    with_phrase = overlay([{"text": "g"}])
    x0, y0, *_ = box
    for named in (with_name, with_phrase):
        ys, xs = np.nonzero((abs(named - without) > 60).any(axis=2))
        assert xs.min() >= x0 - 8
        assert y0 - 24 < ys.min() < ys.max() < y0 + 8
    assert (abs(with_name - with_phrase) > 60).any()


def test_another_list_of_phrases_for_the_image_runs_only_the_phrases(services: WorkerServices) -> None:
    first, second = run(services, [{"text": "r"}]), run(services, [{"text": ["g", "r"]}])
    for job, ran in ((first, True), (second, False)):
        assert job.run is not None
        assert job.run.embedding_cache == ("miss" if ran else "hit")
        assert (job.timings_ms["encode"] > 0) == (job.timings_ms["detect_encode"] > 0) == ran
        assert job.timings_ms["detect"] > 0
        assert job.timings_ms["decode"] > 0


@pytest.mark.parametrize("is_preloaded", [True, False])
def test_a_worker_loads_its_detector_when_it_starts_only_if_the_setting_says_so(
    s3_settings: Settings, watched: Watched, is_preloaded: bool
) -> None:
    settings = s3_settings.model_copy(update={"preload_detector": is_preloaded})
    detectors = Detectors("cpu", "auto", open_detector=lambda *_: watched)
    WorkerServices(settings, "cpu", BoxInference(), detectors=detectors).close()
    assert list(detectors.loaded) == ([settings.default_detector] if is_preloaded else [])
    assert watched.passes_done == is_preloaded


def test_no_object_found_is_a_success_without_masks(services: WorkerServices) -> None:
    job = run(services, [{"text": ["r", "g"]}], image({}), outputs=["rle", "overlay"])
    assert result(services, job)["maskInfos"] == []
    assert (job.mask_count, result(services, job)["masks"]) == (0, [])
    assert list(services.storage.list(f"{job.files_prefix}overlay"))


def test_only_objects_inside_the_box_of_a_prompt_are_found(services: WorkerServices) -> None:
    right = {"text": ["r", "g"], "box": [190, 0, 380, 240]}
    assert [info["prompt"] for info in result(services, run(services, [right]))["maskInfos"]] == ["g"]


def test_options_hold_for_each_text_prompt_alone(services: WorkerServices) -> None:
    job = run(services, [{"text": "r"}, {"text": "g"}], detection={**CERTAIN, "max_objects": 1})
    assert [info["prompt"] for info in result(services, job)["maskInfos"]] == ["r", "g"]


def test_of_too_many_masks_those_with_the_highest_detection_scores_are_kept(
    s3_settings: Settings, services: WorkerServices
) -> None:
    prompts: list[dict[str, Any]] = [{"text": "g"}, {"box": [1, 1, 9, 9]}, {"text": "r"}]
    everyone = result(services, run(services, prompts))
    services.settings = s3_settings.model_copy(update={"max_prompts": 3})
    limited = result(services, run(services, prompts))
    scores = sorted((info.get("detection_score", 2) for info in everyone["maskInfos"]), reverse=True)
    assert sorted((info.get("detection_score", 2) for info in limited["maskInfos"]), reverse=True) == scores[:3]
    assert (limited["masks_dropped"], everyone.get("masks_dropped")) == (1, None)


def test_a_text_prompt_whose_box_is_outside_the_image_can_be_skipped(services: WorkerServices) -> None:
    outside = {"text": "r", "box": [900, 900, 950, 950]}
    made = result(services, run(services, [outside, {"text": "g"}], on_invalid_prompt="skip"))
    assert [info["prompt_index"] for info in made["maskInfos"]] == [1]
    assert [(each["prompt_index"], each["error"]["code"]) for each in made["skipped"]] == [(0, "box_outside_image")]


def test_a_phrase_that_the_detector_cannot_read_fails_the_job_with_its_field(services: WorkerServices) -> None:
    request, content = parse({"prompts": [{"text": "r"}, {"text": ["g", "r"]}]}, image(), services.settings)
    assert request.texts is not None
    texts = (request.texts[0], request.texts[1].model_copy(update={"text": ("g", "\N{DOG FACE}")}))
    job_id = new_id()
    services.acceptance.accept(job_id, request.model_copy(update={"texts": texts}), content)
    tasks.segment(job_id, services)
    error = read(services, job_id).error
    assert error is not None
    assert (error.code, error.field) == ("phrase_unreadable", "prompts[1].text[1]")


def test_a_text_job_reports_its_parts_and_the_boxes_that_it_has(
    services: WorkerServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.progress.REPORT_EVERY_SECONDS", 0)
    phrases = ["r", *(" ".join(["x"] * count) for count in range(55, 61)), "g"]
    body = {"prompts": [{"text": phrases}], "outputs": ["rle"], "detection": CERTAIN}
    request, content = parse(body, image(), services.settings)
    job_id = new_id()
    services.acceptance.accept(job_id, request, content)
    events = followed.events(services, job_id, lambda: tasks.segment(job_id, services))
    stages = [data["stage"] for kind, data in events if kind == "job.stage"]
    assert stages == [*("fetching", "decoding_image", "encoding", "detecting", "decoding_masks", "uploading")]
    counts = [(data["done"], data["total"]) for kind, data in events if kind == "job.progress"]
    total = counts[0][1]
    assert total > 2
    assert counts == [(done, total) for done in range(1, total + 1)]
    boxes = [data["boxes"] for kind, data in events if kind == "job.partial"]
    infos = result(services, read(services, job_id))["maskInfos"]
    shown = ("prompt_index", "phrase_index", "coordinate", "detection_score")
    assert boxes[-1] == [{name: info[name] for name in shown} for info in infos]
    assert 0 < len(boxes[0]) < len(boxes[-1])


@pytest.mark.parametrize("ending", ["canceled", "failed"])
def test_a_job_that_may_not_continue_stops_between_two_passes(
    services: WorkerServices, watched: Watched, ending: str
) -> None:
    long = [" ".join([letter] * 60) for letter in "rgrgrg"]
    body = {"prompts": [{"text": long}]}
    request, content = parse(body, image(), services.settings)
    job_id = new_id()
    services.acceptance.accept(job_id, request, content)
    record = services.keyspace.key(f"job:{job_id}")

    def stop() -> None:
        if ending == "canceled":
            services.jobs.cancel(job_id)
        else:  # its deadline has passed
            services.keyspace.redis.hset(record, "run_by", 1)

    watched.before = stop
    tasks.segment(job_id, services)
    job = read(services, job_id)
    assert (job.status, job.files_prefix, watched.passes_done) == (ending, None, 1)


def test_a_job_that_only_detects_answers_what_paddlex_answers(
    services: WorkerServices, colours: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    name, prompt = "GroundingDINO-T", "r . g ."
    models.find_detector(name).weights.write_bytes(b"weights")
    request, content = parse({"prompts": [{"box": [1, 1, 9, 9]}]}, image(), services.settings)
    only = {"detect": prompt, "detector": name, "model": name, "prompts": (), "detection": CERTAIN}
    request = JobRequest.model_validate({**request.model_dump(), **only, "outputs": ("overlay",)})
    job_id = new_id()
    services.acceptance.accept(job_id, request, content)
    tasks.segment(job_id, services)
    job = read(services, job_id)
    asked = detection_prompt.Prompt.of(prompt)
    centres, logits = colours.answer(colours.encode(colour_worker.scene(OBJECTS, HW)), colours.encode_text(asked.text))
    expected = detection_prompt.boxes(asked, logits, centres, HW, Thresholds(**CERTAIN))
    made = result(services, job)
    assert made["detectedObjects"] == [
        {"bbox": each["coordinate"], "categoryName": each["label"], "score": each["score"]} for each in expected
    ]
    assert (made["maskInfos"], made["made_by"]["model"], job.mask_count) == ([], name, 0)
    assert set(job.timings_ms) == {"fetch", "decode_image", "detect_encode", "detect", "publish"}
    assert isinstance(job.request.image.content, ImageContent)
    assert list(services.storage.list(f"{job.files_prefix}overlay"))


def test_the_lease_is_renewed_during_a_pass_that_takes_longer_than_a_lease(
    s3_settings: Settings, watched: Watched
) -> None:
    brisk = s3_settings.model_copy(update={"lease_seconds": 1.0})
    services = WorkerServices(
        brisk, "cpu", BoxInference(), detectors=Detectors("cpu", "auto", open_detector=lambda *_: watched)
    )
    services.heartbeat.start()
    job_id, leases = new_id(), services.keyspace.key("leases")

    def ends_at() -> float:
        return float(services.keyspace.redis.zscore(leases, job_id) or 0) / MICROSECONDS

    def take_long() -> None:
        begun = ends_at()
        wait_until(lambda: ends_at() > begun + 2 * brisk.lease_seconds)

    watched.before = take_long
    request, content = parse({"prompts": [{"text": "r"}]}, image(), brisk)
    services.acceptance.accept(job_id, request, content)
    tasks.segment(job_id, services)
    job = read(services, job_id)
    assert (job.status, job.attempt, watched.passes_done) == ("succeeded", 1, 1)
    services.close()
