"""PaddleX 3.7.2 and ovseg on the same inference folders: equal masks, keys, terminal output and HTTP answers."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import yaml
from pycocotools import mask as coco

import ovseg_core
from ovseg import demo
from ovseg_core.paddle_inference import export
from tests.parity.paddlex_programs import printed, serving
from tests.support import small_sam
from tests.support.service import Service

paddlex = pytest.importorskip("paddlex")

PHOTO = str(demo.PHOTO)
PROMPTS = {"box": [[140, 10, 305, 180], [340.5, 4, 462, 300]], "point": [[220, 90]]}
PAGES = ("page_index", "input_img")  # PaddleX documents the first but does not return it; the second is the image


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the pipeline's YAML, which names the folders of a small SAM."""
    root = tmp_path_factory.mktemp("folders")
    network = small_sam.load(root)
    modules = {}
    for kind in PROMPTS:
        folder = root / f"SAM-H_{kind}"
        export.export(network, kind, folder)
        modules[f"{kind.capitalize()}PromptSegmentation"] = {
            "module_name": f"{kind}_prompt_segmentation",
            "model_name": f"SAM-H_{kind}",
            "model_dir": str(folder),
            "batch_size": 1,
        }
    path = root / "pipeline.yaml"
    path.write_text(yaml.safe_dump({"pipeline_name": "open_vocabulary_segmentation", "SubModules": modules}))
    return path


def agree(ours: Any, theirs: Any) -> bool:
    return bool((np.asarray(ours) == np.asarray(theirs)).mean() > 0.999)


@pytest.mark.parametrize("kind", PROMPTS)
def test_the_pipeline_returns_the_same_result_as_paddlex(config: Path, kind: str) -> None:
    results = []
    for library in (ovseg_core, paddlex):
        pipeline = library.create_pipeline(pipeline=str(config), device="cpu")
        [result] = pipeline.predict(PHOTO, prompt=PROMPTS[kind], prompt_type=kind)
        results.append(result)
    ours, theirs = results
    assert agree(ours["masks"], theirs["masks"])
    assert 0 < np.mean(theirs["masks"]) < 1
    assert ours.keys() - theirs.keys() == {"page_index"}
    for key in theirs.keys() - {"masks", *PAGES}:
        assert ours[key] == theirs[key]
    assert agree(ours["input_img"], theirs["input_img"])
    of_ours, of_theirs = ours.json["res"], theirs.json["res"]
    assert of_ours.keys() - of_theirs.keys() == {"page_index"}
    assert of_theirs.keys() <= of_ours.keys()
    assert agree(of_ours["masks"], of_theirs["masks"])


def test_the_model_returns_the_same_result_as_paddlex(config: Path) -> None:
    module = yaml.safe_load(config.read_text())["SubModules"]["BoxPromptSegmentation"]
    name, folder = module["model_name"], module["model_dir"]
    prompts = {"box_prompt": PROMPTS["box"]}
    [ours] = ovseg_core.create_model(name, model_dir=folder, device="cpu").predict(PHOTO, prompts=prompts)
    [theirs] = paddlex.create_model(name, model_dir=folder, device="cpu").predict(PHOTO, prompts=prompts)
    assert agree(ours["masks"], theirs["masks"])
    assert ours["mask_infos"] == theirs["mask_infos"]


def run(program: str, config: Path, save_path: Path) -> dict[str, Any]:
    options = {"prompt_type": "box", "prompt": PROMPTS["box"], "save_path": save_path}
    return printed(program, config, PHOTO, options)


def test_the_command_prints_and_writes_the_same_as_paddlex(config: Path, tmp_path: Path) -> None:
    ours = run("ovseg", config, tmp_path / "ours")
    theirs = run("paddlex", config, tmp_path / "theirs")
    assert ours["res"].pop("page_index") is None
    assert ours == theirs
    assert list(ours["res"]) == list(theirs["res"])
    names = [sorted(path.name for path in (tmp_path / which).iterdir()) for which in ("ours", "theirs")]
    assert names[0] == names[1] == ["astronaut_res.jpg", "astronaut_res.json"]


@pytest.fixture(scope="module")
def their_server(config: Path) -> Iterator[str]:
    with serving(config) as url:
        yield url


@pytest.fixture(scope="module")
def our_server(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("ours")
    registry = {"SMALL": {"network": "paddlex", "file": "SAM-H_box", "licence": "ours"}}
    (folder / "models.yaml").write_text(yaml.safe_dump(registry))
    environment = {
        "OVSEG_MODELS_YAML": str(folder / "models.yaml"),
        "OVSEG_MODELS_DIR": str(config.parent),
        "OVSEG_DEFAULT_MODEL": "SMALL",
    }
    service = Service(folder / "data", {**os.environ, **environment}).wait_until_ready()
    yield service.url
    service.stop()


def test_the_server_returns_the_same_answer_as_paddlex(their_server: str, our_server: str) -> None:
    image = base64.b64encode(Path(PHOTO).read_bytes()).decode()
    body = {"image": image, "prompt": PROMPTS["box"], "promptType": "box"}
    answers = [
        requests.post(f"{url}/open-vocabulary-segmentation", json=body, timeout=300)
        for url in (our_server, their_server)
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    ours, theirs = (answer.json() for answer in answers)
    assert ours.keys() == theirs.keys()
    assert ours["result"].keys() == theirs["result"].keys()
    assert ours["result"]["maskInfos"] == theirs["result"]["maskInfos"]
    for a, b in zip(ours["result"]["masks"], theirs["result"]["masks"], strict=True):
        assert a["size"] == b["size"]
        assert agree(*(coco.decode({"size": m["size"], "counts": m["rleResult"].encode()}) for m in (a, b)))
