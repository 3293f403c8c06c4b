"""A detector with a small network: what is computed once, and what words find with constructed weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from ovseg_core import Prompt, Segmenter, detectors
from ovseg_core.engines import runners
from ovseg_core.engines.parts import Runner
from ovseg_core.grounding_dino.detector import Detector
from ovseg_core.grounding_dino.in_parts import DetectorInParts
from ovseg_core.grounding_dino.options import DetectionOptions
from ovseg_core.grounding_dino.parts import ImageParts
from ovseg_core.grounding_dino.placement import Placement
from ovseg_core.grounding_dino.shape import SHAPES
from tests.support import colour_detector, small_grounding_dino
from tests.support.small_grounding_dino import CANVAS_HW, IMAGE_HW, SHAPE

SIZES = Placement(short_side=80, long_side=130, canvases=(CANVAS_HW, CANVAS_HW[::-1]))
EVERY_BOX = DetectionOptions(box_threshold=0, text_threshold=0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_grounding_dino.file("grounding_dino", tmp_path_factory.mktemp("detector"))


class Counted:
    """A detector with the small network in Paddle, and the number of runs of each of its parts."""

    def __init__(self, weights: Path) -> None:
        self.runs: Counter[str] = Counter()
        parts = {
            name: self._counted(name, run) for name, run in small_grounding_dino.on("paddle", SHAPE, weights).items()
        }
        self.detector = DetectorInParts(SHAPE, parts["text"], lambda canvas_hw: self._for(canvas_hw, parts), SIZES)

    def _counted(self, name: str, run: Runner) -> Runner:
        def counted(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
            self.runs[name] += 1
            return run(*inputs)

        return counted

    def _for(self, canvas_hw: tuple[int, int], parts: Mapping[str, Runner]) -> Mapping[str, Runner]:
        assert canvas_hw == CANVAS_HW  # the parts are for this size
        return parts


def photo() -> np.ndarray:
    height, width = 2 * IMAGE_HW[0], 2 * IMAGE_HW[1]
    y, x = np.mgrid[:height, :width]
    return np.stack([x % 256, y % 256, (x * y) % 256], axis=2).astype(np.uint8)


def test_an_image_is_encoded_once_for_several_lists_and_a_list_once_for_several_images(weights: Path) -> None:
    counted = Counted(weights)
    first, second = counted.detector.encode(photo()), counted.detector.encode(photo()[:, ::-1])
    found = [counted.detector.detect(image, ["a b", "c"], EVERY_BOX) for image in (first, second, first)]
    counted.detector.detect(first, "d", EVERY_BOX)  # one phrase need not be in a list
    assert counted.runs == {"encode": 2, "text": 2, "fuse": 4, "decode": 4}
    assert np.array_equal(found[0].scores, found[2].scores)
    assert not np.array_equal(found[0].scores, found[1].scores)


def test_phrases_of_different_texts_do_not_influence_one_another(weights: Path) -> None:
    detector = Counted(weights).detector
    image = detector.encode(photo())
    letters = [" ".join(["a", "b", "c"] * 40), " ".join(["d", "e"] * 70), "f"]  # 120, 140 and 1 tokens
    together = detector.detect(image, letters, EVERY_BOX)
    alone = detector.detect(image, letters[:1], EVERY_BOX)
    of_first = together.rows(np.flatnonzero(together.phrases == 0))
    assert set(together.phrases.tolist()) == {0, 1, 2}
    assert np.array_equal(of_first.scores, alone.scores)
    assert np.array_equal(of_first.boxes_xyxy, alone.boxes_xyxy)


@pytest.fixture(scope="module")
def colours(weights: Path) -> Detector:
    return colour_detector.detector(weights)


SCENES: dict[str, tuple[dict[str, tuple[int, int, int, int]], tuple[int, int]]] = {
    "red below, green above": ({"r": (20, 90, 80, 150), "g": (170, 15, 230, 75)}, (166, 260)),
    "green left, red right": ({"g": (60, 60, 150, 150), "r": (260, 120, 350, 210)}, (249, 390)),
    "only red": ({"r": (150, 40, 220, 110)}, (166, 260)),
    "nothing": ({}, (166, 260)),
}


@pytest.mark.parametrize("name", SCENES)
def test_words_find_the_boxes_of_their_colours_and_sam_their_masks(name: str, colours: Detector) -> None:
    """With constructed weights (tests/support/colour_detector.py). A swapped or wrongly scaled axis would be seen."""
    places, image_hw = SCENES[name]
    image, words = colour_detector.scene(places, image_hw), list(colour_detector.WORDS)
    found = colours.detect(colours.encode(image), words, DetectionOptions(box_threshold=0.55, text_threshold=0.55))
    assert {words[i] for i in found.phrases} == set(places)
    segmenter = Segmenter.open("SAM-Lite")
    for word, (x0, y0, x1, y1) in places.items():
        boxes = found.boxes_xyxy[found.phrases == words.index(word)]
        x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).mean(axis=0)
        assert x0 < x < x1
        assert y0 < y < y1
        [answer] = segmenter.decode(segmenter.encode(image), [Prompt.of_point(float(x), float(y))])
        expected = np.zeros(image_hw, bool)
        expected[y0:y1, x0:x1] = True
        mask = answer.full()
        assert (mask & expected).sum() / (mask | expected).sum() > 0.8


@pytest.mark.skipif("bfloat16" not in detectors.precisions("openvino"), reason="this CPU has no bfloat16")
def test_an_image_encoder_in_bfloat16_finds_the_same_boxes(weights: Path, colours: Detector) -> None:
    """With constructed weights; the numbers are in docs/models.md."""

    def encode(image: ImageParts) -> Runner:
        return runners.on("openvino", "colours", weights, lambda _: image, "cpu", "bfloat16")["encode"]

    rounded = colour_detector.detector(weights, encode=encode)
    options = DetectionOptions(box_threshold=0.55, text_threshold=0.55)
    together, several, changes = 0, 0, [0.0]
    for places, image_hw in SCENES.values():
        image = colour_detector.scene(places, image_hw)
        exact, other = (
            {(tuple(box), phrase): score for box, score, phrase in zip(*map(np.ndarray.tolist, found), strict=True)}
            for found in (each.detect(each.encode(image), ["r", "g"], options) for each in (colours, rounded))
        )
        together, several = together + len(exact.keys() & other.keys()), several + len(exact.keys() | other.keys())
        changes += [abs(exact[key] - other[key]) for key in exact.keys() & other.keys()]
    assert several > 100
    assert together > 0.95 * several
    assert 0 < max(changes) < 0.05


def test_the_public_detectors_have_layers_and_names() -> None:
    assert tuple(SHAPES) == detectors.DETECTORS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("yolo", Path("a")), "there is no detector 'yolo'; available: grounding_dino_t, mm_grounding_dino_t"),
        (("grounding_dino_t", Path("a"), "cpu", "tensorrt"), "cannot use the engine 'tensorrt' on cpu"),
        (("grounding_dino_t", Path("a"), "cpu", "paddle", "bfloat16"), "on paddle runs in float32, not in 'bfloat16'"),
    ],
)
def test_an_unknown_detector_or_engine_is_refused(arguments: tuple[str, Path], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        detectors.load(*arguments)
