"""What PaddleX lacks, in PaddleX's shapes: everything mode, several masks for a prompt, and masks as prompts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco

from ovseg import demo
from ovseg_core import Result, create_model, create_pipeline
from ovseg_core.errors import OvsegError
from ovseg_core.paddlex.model import Model
from ovseg_core.paddlex.pipeline import Pipeline

PHOTO = str(demo.PHOTO)
OPTIONS = {"points_per_side": 4, "pred_iou_thresh": 0.3, "stability_score_thresh": 0.3}


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return create_pipeline(pipeline="open_vocabulary_segmentation", model="SAM-Lite", device="cpu")


@pytest.fixture(scope="module")
def model() -> Model:
    return create_model("SAM-Lite", device="cpu")


@pytest.fixture(scope="module")
def everything(pipeline: Pipeline) -> Result:
    [res] = pipeline.predict(PHOTO, prompt_type="everything", prompt=OPTIONS)
    return res


def test_everything_mode_gives_each_mask_its_point_scores_and_coco_annotation(everything: Result) -> None:
    assert everything["prompts"] == {"everything_prompt": OPTIONS}
    assert len(everything["masks"]) == len(everything["mask_infos"]) > 2
    likelihoods = [
        score * info["stability_score"] for score, info in zip(everything.scores, everything["mask_infos"], strict=True)
    ]
    # Scores are rounded to four digits, so that neighbours may differ by as much in the other order.
    assert sorted(likelihoods, reverse=True) == pytest.approx(likelihoods, abs=1e-4)
    rows = zip(everything["mask_infos"], everything["masks"], everything.to_coco(), everything.boxes, strict=True)
    for info, mask, annotation, box in rows:
        assert info.keys() == {"label", "prompt", "prompt_index", "stability_score"}
        assert (info["label"], info["prompt_index"]) == ("everything_prompt", 0)
        assert info["stability_score"] == annotation["stability_score"] >= 0.3
        assert all(coordinate in (64, 192, 320, 448) for coordinate in info["prompt"])
        assert (coco.decode(annotation["segmentation"]) == mask).all()
        assert coco.toBbox(annotation["segmentation"]).tolist() == annotation["bbox"]
        assert box[:2] == tuple(annotation["bbox"][:2])


def test_a_result_of_everything_mode_prints_and_saves_itself_with_masks_as_rle(
    everything: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everything.print()
    everything.save_all(tmp_path)
    printed = json.loads(capsys.readouterr().out)["res"]
    saved = json.loads((tmp_path / "astronaut_res.json").read_text())
    assert list(saved) == ["input_path", "page_index", "prompts", "masks", "mask_infos"]
    assert saved["mask_infos"] == printed["mask_infos"] == everything["mask_infos"]
    assert saved == everything.json["res"]
    assert [coco.decode(rle).sum() for rle in saved["masks"]] == [mask.sum() for mask in everything["masks"]]
    drawn = cv2.imread(str(tmp_path / "astronaut_res.jpg"))
    assert drawn is not None
    assert drawn.shape == (512, 512, 3)


def test_everything_mode_takes_lists_of_images_with_options_for_each_and_shows_its_progress(model: Model) -> None:
    photo, grey = cv2.imread(PHOTO), np.full((40, 60, 3), 90, np.uint8)
    shown: list[tuple[int, int]] = []
    given: list[dict[str, Any]] = [{"everything_prompt": OPTIONS | {"points_per_side": side}} for side in (2, 1, 3)]
    run = model.predict(
        [photo, "missing.jpg", grey], given, 2, "skip", on_progress=lambda *progress: shown.append(progress)
    )
    first, last = run
    assert [skipped.position for skipped in run.skipped] == [1]
    assert first["prompts"] == given[0]
    assert last["prompts"] == given[2]
    assert last["input_img"].shape == (40, 60, 3)
    assert (shown[0][1], shown[-1]) == (4, (9, 9))
    assert shown == sorted(shown, key=lambda progress: progress[1])


def test_everything_mode_needs_no_options(pipeline: Pipeline) -> None:
    tiny = np.full((4, 4, 3), 90, np.uint8)
    [alone] = pipeline.predict(tiny, prompt_type="everything")
    [listed] = pipeline.predict([tiny], [None], "everything")
    assert alone["prompts"] == listed["prompts"] == {"everything_prompt": {}}


@pytest.mark.parametrize(
    ("prompts", "complaint"),
    [
        ({"everything_prompt": {}, "box_prompt": [[0, 0, 1, 1]]}, "stands alone; box_prompt cannot be"),
        ({"everything_prompt": [[0, 0, 1, 1]]}, r"no prompts: give None or a mapping of its options, not \[\[0"),
        ({"everything_prompt": True}, "a mapping of its options, not True"),
        ({"everything_prompt": {"points_per_sid": 4}}, "points_per_sid: .*did you mean points_per_side"),
        ({"everything_prompt": {"points_per_side": 0}}, "everything_prompt.points_per_side: must be .* from 1 to 256"),
        ({"everything_prompt": {"box_nms_thresh": 1.5}}, "everything_prompt.box_nms_thresh: must be .* from 0 to 1"),
        ({"everything_prompt": {"image_rgb": None}}, "unknown option"),
    ],
)
def test_wrong_options_of_everything_mode_are_refused_with_their_name(
    model: Model, prompts: dict[str, Any], complaint: str
) -> None:
    with pytest.raises((ValueError, OvsegError), match=complaint):
        model.predict(PHOTO, prompts)


def test_prompts_of_other_types_are_required(pipeline: Pipeline) -> None:
    with pytest.raises(ValueError, match="prompt_type box needs a prompt"):
        pipeline.predict(PHOTO)


def ovseg(*arguments: str) -> subprocess.CompletedProcess[str]:
    common = ("--pipeline", "open_vocabulary_segmentation", "--model", "SAM-Lite", "--device", "cpu", "--input", PHOTO)
    command = [sys.executable, "-m", "ovseg", *common, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_command_finds_everything_and_saves_it(tmp_path: Path) -> None:
    wanted = ("--prompt_type", "everything", "--save_path", str(tmp_path), "--prompt")
    ran = ovseg(*wanted, json.dumps(OPTIONS))
    assert ran.returncode == 0, ran.stderr
    saved = json.loads((tmp_path / "astronaut_res.json").read_text())
    assert saved["prompts"] == {"everything_prompt": OPTIONS}
    assert len(saved["masks"]) == len(saved["mask_infos"]) > 2
    assert "click" in ran.stderr
    refused = ovseg(*wanted, '{"points_per_side": 0}')
    assert refused.returncode == 1
    assert refused.stderr == "Error: everything_prompt.points_per_side: must be a whole number from 1 to 256\n"


def test_with_multimask_output_the_masks_of_a_prompt_follow_each_other_the_best_first(model: Model) -> None:
    prompts = {"point_prompt": [[220, 90], [400, 120]], "box_prompt": [[340, 4, 462, 300]]}
    [res] = model.predict(PHOTO, prompts, multimask_output=True)
    [best] = model.predict(PHOTO, prompts)
    assert [info["prompt_index"] for info in res["mask_infos"]] == [0, 0, 0, 1, 1, 1, 2]
    assert [info["label"] for info in res["mask_infos"]] == ["point_prompt"] * 6 + ["box_prompt"]
    assert all("prompt_index" not in info for info in best["mask_infos"])
    for start in (0, 3):
        assert res.scores[start : start + 3] == sorted(res.scores[start : start + 3], key=lambda s: -(s or 0))
    for i, first in enumerate((0, 3, 6)):
        assert (res["masks"][first] != best["masks"][i]).mean() < 1e-3
    assert len(res.json["res"]["masks"]) == len(res.to_coco()) == 7
    assert res.img["res"].size == (512, 512)


def test_a_mask_of_a_result_can_be_a_prompt(model: Model, tmp_path: Path) -> None:
    [first] = model.predict(PHOTO, {"box_prompt": [[140, 10, 305, 180]]})
    refinement = {"mask": first["masks"][0], "points": [[224, 100]], "labels": [0]}
    [second] = model.predict(PHOTO, {"mixed_prompt": [refinement]})
    assert first["masks"][0][100, 224]
    assert not second["masks"][0][100, 224]
    assert second["mask_infos"][0]["label"] == "mask_prompt"
    second.save_to_json(tmp_path)  # the mask among the prompts is RLE
    saved = json.loads((tmp_path / "astronaut_res.json").read_text())["prompts"]["mixed_prompt"][0]
    assert (coco.decode(saved["mask"]["rle"]) == first["masks"][0]).all()
    [again] = model.predict(PHOTO, {"mixed_prompt": [saved]})
    assert (again["masks"][0] == second["masks"][0]).all()
