"""The library and the command line, used as in PaddleX's tutorial, with the model that needs no download."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from ovseg import demo
from ovseg_core import create_model, create_pipeline
from ovseg_core.errors import OvsegError
from ovseg_core.models.pull import PullFailed
from ovseg_core.paddlex import config as configuration
from ovseg_core.paddlex.config import SEGMENTATION as NAME
from ovseg_core.paddlex.model import Model
from ovseg_core.paddlex.pipeline import SUB_MODULES, Pipeline
from tests.support.fakes import Host
from tests.support.read_pages import pages_of

BOXES = [[140, 10, 305, 180], [340, 4, 462, 300]]
PHOTO = str(demo.PHOTO)
MODULES = set(SUB_MODULES.values())


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return create_pipeline(pipeline="open_vocabulary_segmentation", model="SAM-Lite", device="cpu")


@pytest.fixture(scope="module")
def model() -> Model:
    return create_model("SAM-Lite", device="cpu")


def test_the_tutorials_script_prints_and_saves_its_results(
    pipeline: Pipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = pipeline.predict(input=PHOTO, prompt_type="box", prompt=BOXES)
    for res in output:
        res.print()
        res.save_to_img(save_path=f"{tmp_path}/")
        res.save_to_json(save_path=f"{tmp_path}/")
    printed = json.loads(capsys.readouterr().out)["res"]
    assert printed["masks"] == "..."
    assert printed["prompts"] == {"box_prompt": BOXES}
    saved = json.loads((tmp_path / "astronaut_res.json").read_text())
    assert list(saved) == ["input_path", "page_index", "prompts", "masks", "mask_infos"]
    assert saved["mask_infos"] == [{"label": "box_prompt", "prompt": box} for box in BOXES]
    assert (np.array(saved["masks"][1]) == res["masks"][1]).all()
    drawn = cv2.imread(str(tmp_path / "astronaut_res.jpg"))
    assert drawn is not None
    assert drawn.shape == (512, 512, 3)


def test_a_result_has_masks_scores_boxes_polygons_and_coco_annotations(model: Model) -> None:
    [res] = model.predict(PHOTO, prompts={"box_prompt": BOXES})
    assert set(np.unique(res["masks"][0])) == {0, 1}
    assert res["masks"][0].shape == (512, 512)
    assert res.json["res"]["masks"] == [mask.tolist() for mask in res["masks"]]
    assert res.img["res"].size == (512, 512)
    assert all(score is not None and 0 < score <= 1 for score in res.scores)
    for annotation, mask, box in zip(res.to_coco(), res["masks"], res.boxes, strict=True):
        assert (coco.decode(annotation["segmentation"]) == mask).all()
        assert coco.toBbox(annotation["segmentation"]).tolist() == annotation["bbox"]
        assert annotation["bbox"][:2] == list(box[:2])
    assert len(res.polygons()) == 2
    assert ast.literal_eval(str(res)) == res.str


def test_each_point_is_a_prompt_of_its_own_and_mixed_points_have_labels(model: Model) -> None:
    [two] = model.predict(PHOTO, prompts={"point_prompt": [[220, 90], [400.5, 120.5]]})
    assert len(two["masks"]) == 2
    assert [info["label"] for info in two["mask_infos"]] == ["point_prompt"] * 2
    one = {"box": BOXES[0], "points": [[220, 90], [290, 20]], "labels": [1, 0]}
    [labelled] = model.predict(PHOTO, prompts={"mixed_prompt": [one]})
    assert labelled["mask_infos"][0]["label"] == "mixed_prompt"
    assert labelled["masks"][0][20, 290] == 0


def test_every_kind_of_input_gives_the_same_pixels(tmp_path: Path) -> None:
    rgb = cv2.cvtColor(cv2.imread(PHOTO), cv2.COLOR_BGR2RGB)[:60, :80]
    image = Image.fromarray(rgb)
    image.save(tmp_path / "b.png")
    image.save(tmp_path / "a.tif", save_all=True, append_images=[image.rotate(180)])
    image.save(tmp_path / "c.pdf")
    (tmp_path / "notes.txt").write_text("no image")
    bgr = rgb[..., ::-1]

    def generator() -> Iterator[object]:
        yield bgr
        yield [str(tmp_path / "b.png"), tmp_path]

    pages = pages_of(generator(), 2)
    assert [(page.path and Path(page.path).name, page.index) for page in pages] == [
        (None, None),
        ("b.png", None),
        ("a.tif", 0),
        ("a.tif", 1),
        ("b.png", None),
        ("c.pdf", 0),
    ]
    for page in pages[:-1]:
        assert (page.pixels == (rgb[::-1, ::-1] if page.index == 1 else rgb)).all()
    [pdf] = pages_of(tmp_path / "c.pdf")
    assert pdf.index == 0
    grey = cv2.resize(pdf.pixels, (80, 60)).mean(axis=2)
    assert np.abs(grey - rgb.mean(axis=2)).mean() < 12  # rendered again, so only similar
    [flat] = pages_of(rgb[..., 0])
    assert (flat.pixels == rgb[..., :1]).all()


def test_a_generator_is_not_read_far_ahead(model: Model) -> None:
    asked: list[int] = []

    def endless() -> Iterator[np.ndarray]:
        while True:
            asked.append(len(asked))
            yield np.zeros((32, 32, 3), np.uint8)

    results = model.predict(endless(), prompts={"box_prompt": [[4, 4, 20, 20]]})
    next(results)
    next(results)
    assert len(asked) <= 4
    results.close()


def test_each_page_of_a_file_is_saved_under_its_number(model: Model, tmp_path: Path) -> None:
    image = Image.fromarray(np.full((40, 50, 3), 90, np.uint8))
    image.save(tmp_path / "scan.tif", save_all=True, append_images=[image])
    for res in model.predict(str(tmp_path / "scan.tif"), prompts={"box_prompt": [[4, 4, 20, 20]]}):
        res.save_all(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "scan_0_res.json",
        "scan_0_res.png",
        "scan_1_res.json",
        "scan_1_res.png",
    ]


def test_a_configuration_file_may_name_a_checkpoint(model: Model, tmp_path: Path) -> None:
    from ovseg_core import models

    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(models.find("SAM-Lite").weights.read_bytes())
    config = (
        configuration.default(NAME)
        .replace("SAM-H_box", "SAM-Lite")
        .replace("model_dir: null", f"model_dir: {weights}", 1)
    )
    (tmp_path / "mine.yaml").write_text(config)
    mine = create_pipeline(pipeline=tmp_path / "mine.yaml", device="cpu")
    [res] = mine.predict(PHOTO, BOXES)
    [wanted] = model.predict(PHOTO, prompts={"box_prompt": BOXES})
    assert (res["masks"][0] == wanted["masks"][0]).all()


def test_weights_are_fetched_from_the_mirror_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("OVSEG_MODELS_MIRROR", "http://127.0.0.1:2/weights")
    with pytest.raises(PullFailed, match=r"no connection to 127\.0\.0\.1:2; no connection to dl\."):
        create_model("SAM-H_box", device="cpu")


def test_a_model_that_cannot_be_fetched_is_not_replaced_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")  # no internet for this test
    with pytest.raises(PullFailed, match=r"Put the file sam_vit_h_4b8939\.pth at .* --model SAM-Lite"):
        list(create_pipeline(pipeline="open_vocabulary_segmentation", device="cpu").predict(PHOTO, BOXES))


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda p: p.predict(PHOTO, BOXES, "words"), "prompt_type must be one of box, point, mixed, everything, text"),
        (lambda p: p.predict(PHOTO, [1, 2, 3, 4]), r"box_prompt\[0\] must be a list of numbers, not 1"),
        (lambda p: p.predict(PHOTO, [[9, 0, 3, 4]]), "x1 .* must be greater than x0"),
        (lambda p: p.predict(PHOTO, [[600, 600, 700, 700]]), "lies outside the image"),
        (lambda p: p.predict(7, BOXES), "not int"),
        (lambda p: p.predict("missing.jpg", BOXES), "missing.jpg"),
        (lambda p: create_pipeline(pipeline="ocr"), "there is no pipeline 'ocr'"),
        (lambda p: create_pipeline(config={"pipeline_name": "ocr"}), "pipeline_name must be open_vocab"),
        (lambda p: create_pipeline(config={"pipeline_name": NAME, "SubModules": None}), "lacks SubModules.BoxPrompt"),
        (
            lambda p: create_pipeline(config={"pipeline_name": NAME, "SubModules": dict.fromkeys(MODULES)}, model="X"),
            "lacks SubModules.BoxPromptSegmentation",
        ),
        (
            lambda p: create_pipeline(config={"pipeline_name": NAME, "SubModules": {key: {} for key in MODULES}}),
            "lacks SubModules.BoxPromptSegmentation.model_name",
        ),
        (lambda p: create_model("SAM-Lite", model_dir="/nowhere"), "must name a checkpoint file or a folder"),
    ],
)
def test_wrong_arguments_raise_an_error_that_explains_them(
    pipeline: Pipeline, call: Callable[[Pipeline], Iterable[object]], complaint: str
) -> None:
    with pytest.raises((ValueError, TypeError, OSError, OvsegError), match=complaint):
        list(call(pipeline))


def ovseg(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ovseg", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})


def test_a_url_may_have_spaces_around_it_and_any_case(pipeline: Pipeline, host: Host) -> None:
    url = host.serve("/photo.jpg", Path(PHOTO).read_bytes())
    [res] = pipeline.predict(f" {url.replace('http', 'HTTP')}\n", BOXES)
    [wanted] = pipeline.predict(PHOTO, BOXES)
    assert (res["masks"][0] == wanted["masks"][0]).all()


def test_the_tutorials_command_line_prints_and_saves_its_result(tmp_path: Path) -> None:
    arguments = ["--pipeline", "open_vocabulary_segmentation", "--input", PHOTO, "--prompt_type", "box"]
    ran = ovseg(*arguments, "--prompt", "[[140,10,305,180]]", "--save_path", str(tmp_path), "--model", "SAM-Lite")
    assert ran.returncode == 0, ran.stderr
    info = {"label": "box_prompt", "prompt": [140.0, 10.0, 305.0, 180.0]}
    res = {"input_path": PHOTO, "page_index": None, "prompts": {"box_prompt": [info["prompt"]]}}
    assert ran.stdout == f"{ {'res': {**res, 'masks': '...', 'mask_infos': [info]}} }\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["astronaut_res.jpg", "astronaut_res.json"]


def test_the_configuration_can_be_saved_edited_and_used(tmp_path: Path) -> None:
    assert ovseg("--get_pipeline_config", "open_vocabulary_segmentation", "--save_path", str(tmp_path)).returncode == 0
    path = tmp_path / "open_vocabulary_segmentation.yaml"
    path.write_text(path.read_text().replace("SAM-H_box", "SAM-Lite").replace("SAM-H_point", "SAM-Lite"))
    ran = ovseg("--pipeline", str(path), "--input", PHOTO, "--prompt_type", "point", "--prompt", "[[220,90]]")
    assert ran.returncode == 0, ran.stderr
    assert "'label': 'point_prompt'" in ran.stdout


def test_a_configuration_that_is_not_yaml_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("SubModules: [")
    ran = ovseg("--pipeline", str(tmp_path / "mine.yaml"), "--input", PHOTO, "--prompt", "[[1,2,30,40]]")
    assert ran.returncode == 1
    assert "mine.yaml' is not YAML: " in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--pipeline", "open_vocabulary_segmentation"], "needs --input and --prompt"),
        (["--pipeline", "ocr", "--input", PHOTO, "--prompt", "[]"], "there is no pipeline 'ocr'"),
        (["--get_pipeline_config", "ocr"], "there is no pipeline 'ocr'"),
        (
            ["--pipeline", "open_vocabulary_segmentation", "--input", PHOTO, "--prompt", "[[1,2"],
            "--prompt is a list of boxes or points",
        ),
        (  # before weights are fetched
            ["--pipeline", NAME, "--input", PHOTO, "--model", "SAM-L", "--prompt", "[[1,2,3]]"],
            "box_prompt[0]: a box is four numbers, [x0, y0, x1, y1]; got 3",
        ),
    ],
)
def test_wrong_arguments_of_the_command_print_a_message_and_no_traceback(arguments: list[str], complaint: str) -> None:
    ran = ovseg(*arguments)
    assert ran.returncode == 1
    assert complaint in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_batch_may_have_images_of_any_size_each_with_its_own_prompts(model: Model, pipeline: Pipeline) -> None:
    photo = cv2.imread(PHOTO)
    assert photo is not None
    images = [photo, photo[:300, 100:420], photo[:, ::-1].copy()]
    rows = [[BOXES[0]], [[40, 10, 205, 180]], [[207, 10, 372, 180], [50, 4, 172, 300]]]
    prompts = [{"box_prompt": boxes} for boxes in rows]
    alone = [next(model.predict(image, prompts=own)) for image, own in zip(images, prompts, strict=True)]
    for together in (model.predict(images, prompts, batch_size=2), pipeline.predict(images, rows, batch_size=3)):
        for found, wanted in zip(together, alone, strict=True):
            assert found["prompts"] == wanted["prompts"]
            for a, b in zip(found["masks"], wanted["masks"], strict=True):
                assert (a == b).mean() > 0.999
    mixed = [[{"box": BOXES[0]}], [{"points": [[120, 90]]}], [{"points": [[111, 100]]}]]
    assert [len(res["masks"]) for res in pipeline.predict(images, mixed, "mixed", batch_size=3)] == [1, 1, 1]


def test_too_few_prompts_and_a_batch_size_of_0_are_errors(model: Model) -> None:
    images = [np.zeros((32, 32, 3), np.uint8)] * 2
    with pytest.raises(ValueError, match="fewer prompts than images"):
        list(model.predict(images, [{"box_prompt": [[4, 4, 20, 20]]}]))
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        model.predict(images, {"box_prompt": [[4, 4, 20, 20]]}, batch_size=0)


def test_an_overlay_too_long_for_its_format_is_scaled_before_it_is_saved(model: Model, tmp_path: Path) -> None:
    [res] = model.predict(np.full((4, 70_000, 3), 90, np.uint8), prompts={"box_prompt": [[0, 0, 500, 4]]})
    for suffix, longest in ((".jpg", 65_500), (".webp", 16_383), (".png", 70_000), (".bmp", 70_000)):
        res.save_to_img(tmp_path / f"line{suffix}")
        with Image.open(tmp_path / f"line{suffix}") as saved:
            assert saved.size[0] == longest
