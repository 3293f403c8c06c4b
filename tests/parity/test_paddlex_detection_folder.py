"""PaddleX 3.7.2 and ovseg on the same inference folder of a detector: equal boxes, labels, lines and HTTP answers.

The weights are random, so PaddleX's own configuration is tested too: on a CPU it uses oneDNN, and ovseg does not.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import requests
import yaml

import ovseg_core
from ovseg import demo
from ovseg_core import detectors, image
from ovseg_core.grounding_dino import loading, text
from ovseg_core.grounding_dino.detector import Detector
from ovseg_core.paddle_inference import detector_export
from ovseg_core.paddlex.detection_prompt import Prompt
from tests.parity.paddlex_programs import printed, serving
from tests.support import small_grounding_dino
from tests.support.service import Service
from tests.support.small_grounding_dino import SHAPE

paddlex = pytest.importorskip("paddlex")

pytestmark = pytest.mark.timeout(1800)

PHOTO = str(demo.PHOTO)
PROMPT = "a b . c . d e f ."  # the small network has no tokens of words
CANVAS_HW = (1056, 1056)  # the images here fit; the default takes twice as long
NAME: Final = "GroundingDINO-T"
NETWORK = "grounding_dino_t"
FOLDER = "GroundingDINO-T_infer"  # a detector of our registry has this folder


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the pipeline's YAML, which names the folder of a small detector."""
    root = tmp_path_factory.mktemp("folders")
    weights = small_grounding_dino.file("grounding_dino", root)
    parts = loading.image_parts(SHAPE, weights, CANVAS_HW)
    detector_export.export(parts, loading.text_parts(SHAPE, weights), root / FOLDER)
    module = {
        "module_name": "open_vocabulary_detection",
        "model_name": NAME,
        "model_dir": str(root / FOLDER),
        "batch_size": 1,
        "thresholds": {"box_threshold": 0.3, "text_threshold": 0.25},
    }
    path = root / "pipeline.yaml"
    about = {"pipeline_name": "open_vocabulary_detection", "SubModules": {"OpenVocabularyDetection": module}}
    path.write_text(yaml.safe_dump(about))
    return path


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return image.decode(Path(PHOTO).read_bytes(), 10**8)


@pytest.fixture(scope="module")
def thresholds(config: Path, photo: np.ndarray) -> dict[str, float]:
    return far_from_scores(detectors.load(NETWORK, config.parent / FOLDER), photo, PROMPT)


def far_from_scores(detector: Detector, image_rgb: np.ndarray, prompt: str) -> dict[str, float]:
    """Return thresholds that no score of a token is near, because oneDNN rounds differently."""
    _, logits = detector.answer(detector.encode(image_rgb), detector.encode_text(Prompt.of(prompt).text))
    scores = np.sort(text.sigmoid(logits).ravel())
    scores = scores[(scores > 0.2) & (scores < 0.6)]
    widest = int(np.diff(scores).argmax())
    middle = float(scores[widest : widest + 2].mean())
    return {"box_threshold": middle, "text_threshold": middle}


def check(ours: Any, theirs: Any) -> None:
    """Check that two lists of PaddleX's boxes agree."""
    assert len(theirs) > 5
    assert [box["label"] for box in ours] == [box["label"] for box in theirs]
    assert [box["score"] for box in ours] == pytest.approx([box["score"] for box in theirs], abs=1e-3)
    corners = [np.array([box["coordinate"] for box in boxes]) for boxes in (ours, theirs)]
    assert corners[0] == pytest.approx(corners[1], abs=0.05)  # pixels


def test_the_pipeline_returns_the_same_result_as_paddlex(config: Path, thresholds: dict[str, float]) -> None:
    results = []
    for library in (ovseg_core, paddlex):
        pipeline = library.create_pipeline(pipeline=str(config), device="cpu")
        [result] = pipeline.predict(PHOTO, prompt=PROMPT, thresholds=thresholds)
        results.append(result)
    ours, theirs = results
    check(ours["boxes"], theirs["boxes"])
    check(ours.json["res"]["boxes"], theirs.json["res"]["boxes"])
    assert ours.json["res"].keys() - theirs.json["res"].keys() <= {"page_index"}
    assert theirs.json["res"].keys() <= ours.json["res"].keys()


def test_the_model_returns_the_same_boxes_as_paddlex_for_other_shapes_and_texts(
    config: Path, photo: np.ndarray
) -> None:
    folder = config.parent / FOLDER
    detector = detectors.load(NETWORK, folder)
    our_model = ovseg_core.create_model(NAME, model_dir=str(folder))
    their_model = paddlex.create_model(NAME, model_dir=str(folder))
    for image_rgb, prompt in ((photo[:400], "z ."), (photo[:, :400], "a . b c ? " * 20 + ".")):
        thresholds = far_from_scores(detector, image_rgb, prompt)
        image_bgr = np.ascontiguousarray(image_rgb[:, :, ::-1])
        [ours] = our_model.predict(image_bgr, prompt=prompt, thresholds=thresholds)
        [theirs] = their_model.predict(image_bgr, prompt=prompt, thresholds=thresholds)
        check(ours["boxes"], theirs["boxes"])


def test_the_command_prints_the_same_as_paddlex(config: Path, thresholds: dict[str, float]) -> None:
    """Nothing is saved: PaddleX would download a font to draw the labels."""
    options = {"prompt": PROMPT, "thresholds": thresholds}
    ours, theirs = (printed(program, config, PHOTO, options)["res"] for program in ("ovseg", "paddlex"))
    assert ours.pop("page_index", None) is None
    check(ours["boxes"], theirs["boxes"])
    assert list(ours) == [name for name in theirs if name != "page_index"]


def test_the_server_returns_the_same_answer_as_paddlex(
    config: Path, thresholds: dict[str, float], tmp_path: Path
) -> None:
    encoded = base64.b64encode(Path(PHOTO).read_bytes()).decode()
    body = {"image": encoded, "prompt": PROMPT, "thresholds": thresholds, "visualize": False}
    environment = {"OVSEG_MODELS_DIR": str(config.parent), "OVSEG_DEFAULT_DETECTOR": FOLDER}
    service = Service(tmp_path / "data", {**os.environ, **environment}).wait_until_ready()
    try:
        with serving(config) as their_url:
            answers = [
                requests.post(f"{url}/open-vocabulary-detection", json=body, timeout=600)
                for url in (service.url, their_url)
            ]
    finally:
        service.stop()
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    ours, theirs = (answer.json() for answer in answers)
    assert ours.keys() == theirs.keys()
    assert ours["result"].keys() == theirs["result"].keys()
    names = {"bbox": "coordinate", "categoryName": "label", "score": "score"}
    found = [
        [{names[name]: value for name, value in box.items()} for box in answer["result"]["detectedObjects"]]
        for answer in (ours, theirs)
    ]
    check(*found)
