"""Detectors on the device's thread: one encoding for all lists of phrases, and other jobs' calls between the passes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino.detections import Searched
from ovseg_core.grounding_dino.detector import Detector, EncodedImage, EncodedText, Pass
from ovseg_core.grounding_dino.text import Text
from ovseg_core.text_prompt import TextPrompt, best
from tests.support import paddlex_detector
from worker.inference.batcher import Batcher, BatchKey
from worker.inference.detectors import Detectors
from worker.inference.embeddings import Cache, Embeddings
from worker.inference.recent_embeddings import RecentEmbeddings
from worker.inference.unshared import Unshared
from worker.inference.urgency import Urgency
from worker.job.attempt import Stopped

NAME = "GroundingDINO-T"
IMAGE = np.ascontiguousarray(paddlex_detector.image_bgr()[:, :, ::-1])
LONG = [" ".join([letter] * 120) for letter in "rrg"]  # two fit into a pass


class Recorded(Detector):
    """A detector that records what runs. `before` is called before each pass."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.runs: list[str] = []
        self.before: Callable[[], None] = lambda: None

    def encode(self, image_rgb: np.ndarray) -> EncodedImage:
        self.runs.append("encode")
        return self._detector.encode(image_rgb)

    def encode_text(self, asked: Text) -> EncodedText:
        return self._detector.encode_text(asked)

    def answer(self, image: EncodedImage, encoded: EncodedText) -> tuple[np.ndarray, np.ndarray]:
        return self._detector.answer(image, encoded)

    def search(self, image: EncodedImage, phrases: Pass) -> Searched:
        self.before()
        self.runs.append(f"search {len(phrases.indices)}")
        return self._detector.search(image, phrases)


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return paddlex_detector.made(tmp_path_factory.mktemp("detector"))


@pytest.fixture
def recorded(colours: Detector) -> Recorded:
    return Recorded(colours)


def running(detector: Detector, device: Batcher | None = None) -> Detectors:
    def opened(name: str, model_dir: Path | None, device: str, engine: str) -> Detector:
        assert (name, model_dir, device) == (NAME, None, "cpu")
        return detector

    return Detectors("cpu", "auto", device, opened)


def test_a_worker_finds_what_the_library_finds(recorded: Recorded, colours: Detector) -> None:
    detectors, prompt = running(recorded), TextPrompt(("r", "g"))
    image, milliseconds = detectors.encode(NAME, IMAGE)
    several, search_milliseconds = detectors.search(NAME, image, prompt.phrases)
    assert best(several, prompt, prompt.phrases)
    expected = colours.detect(colours.encode(IMAGE), prompt.phrases)
    assert [found.score for found in best(several, prompt, prompt.phrases)] == expected.scores.tolist()
    assert milliseconds > 0
    assert search_milliseconds > 0
    assert detectors.loaded == {NAME: detectors.engine(NAME)}


def test_a_second_list_of_phrases_needs_no_encoding_until_other_images_need_the_space(recorded: Recorded) -> None:
    detectors = running(recorded)
    image_bytes = detectors.encode(NAME, IMAGE)[0].nbytes
    features = Embeddings(detectors, Unshared(), RecentEmbeddings(2 * image_bytes))
    recorded.runs.clear()
    found = [features.of(NAME, digest, lambda: IMAGE) for digest in "aabca"]
    assert [each.cache for each in found] == [Cache.MISS, Cache.HIT, Cache.MISS, Cache.MISS, Cache.MISS]
    assert recorded.runs == ["encode"] * 4
    assert found[1].embedding is found[0].embedding
    assert image_bytes == found[0].embedding.features.nbytes


def test_jobs_for_one_image_share_one_encoding(recorded: Recorded) -> None:
    device = Batcher("inference")
    release = held(device)
    detectors = running(recorded, device)
    features = Embeddings(detectors, Unshared(), RecentEmbeddings(10**9))
    with ThreadPoolExecutor(3) as jobs:
        answers = [jobs.submit(features.of, NAME, "a", lambda: IMAGE) for _ in range(3)]
        release.set()
        found = [answer.result(60) for answer in answers]
    assert recorded.runs == ["encode"]
    assert len({id(each.embedding) for each in found}) == 1


def test_a_click_of_another_job_runs_between_the_passes_of_phrases(recorded: Recorded) -> None:
    device = Batcher("inference")
    detectors = running(recorded, device)
    image, _ = detectors.encode(NAME, IMAGE)
    recorded.runs.clear()

    def answer(clicks: Sequence[str]) -> Sequence[str]:
        recorded.runs.extend(clicks)
        return clicks

    def click() -> None:
        recorded.before = lambda: None
        device(BatchKey("click", answer), "click", urgency=Urgency.PROMPTS)

    recorded.before = click
    several, _ = detectors.search(NAME, image, LONG, Urgency.INTERACTIVE)
    assert recorded.runs == ["search 2", "click", "search 1"]
    assert [searched.phrases for searched in several] == [(0, 1), (2,)]


def test_a_job_that_may_not_continue_stops_before_the_next_pass(recorded: Recorded) -> None:
    detectors = running(recorded)
    image, _ = detectors.encode(NAME, IMAGE)
    recorded.runs.clear()

    def check() -> None:
        if recorded.runs:
            raise Stopped("canceled")

    with pytest.raises(Stopped):
        detectors.search(NAME, image, LONG, check=check)
    assert recorded.runs == ["search 2"]


def test_a_phrase_that_cannot_be_read_is_named_and_nothing_runs(recorded: Recorded) -> None:
    detectors = running(recorded)
    image, _ = detectors.encode(NAME, IMAGE)
    with pytest.raises(OvsegError) as caught:
        detectors.search(NAME, image, ["r", "\N{DOG FACE}"])
    assert (caught.value.code, caught.value.field) == ("phrase_unreadable", "phrases[1]")
    assert recorded.runs == ["encode"]


def test_a_detector_that_is_not_installed_is_an_error_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    with pytest.raises(OvsegError, match="ovseg models pull GroundingDINO-T") as caught:
        Detectors("cpu", "auto").encode(NAME, IMAGE)
    assert (caught.value.code, caught.value.field) == ("model_not_installed", "detector")


def test_a_detector_uses_the_worker_s_engine_if_it_can(colours: Detector) -> None:
    assert running(colours).engine(NAME) == ("openvino", "float32")
    assert Detectors("cpu", "paddle").engine(NAME) == ("paddle", "float32")
    assert Detectors("gpu:0", "onnxruntime").engine(NAME) == ("paddle", "float32")


def held(device: Batcher) -> threading.Event:
    """Keep the device busy until the event that is returned is set."""
    release = threading.Event()
    device(BatchKey("hold", lambda items: [release.wait(60)]), None)
    return release
