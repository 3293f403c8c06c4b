"""`ovseg_core.vl.pipeline`: LMDeploy's pipeline for images and text, carried over to segmentation."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ovseg_core import Prompt, Segmenter, image_source
from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino.detector import Detector
from ovseg_core.vl import EngineConfig, GenerationConfig, Pipeline, load_image, load_image_from_url, pipeline
from tests.support import paddlex_detector, pictures
from tests.support.fakes import Host
from tests.support.paddlex_detector import IMAGE_HW, PLACES, are_at, image_bgr

CERTAIN = GenerationConfig(**paddlex_detector.CERTAIN)  # type: ignore[arg-type]  # two thresholds
FEW: dict[str, Any] = {"points_per_side": 4}  # clicks of everything mode
CPU = EngineConfig(device="cpu")


@pytest.fixture(scope="module")
def pipe() -> Pipeline:
    return pipeline("SAM-Lite", backend_config=CPU)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return paddlex_detector.made(tmp_path_factory.mktemp("detector"))


@pytest.fixture
def text_pipe(detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """A pipeline with a detector that finds "r" and "g", red and green."""
    paddlex_detector.install(detector, tmp_path, monkeypatch)
    return pipeline("SAM-Lite", backend_config=CPU)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return load_image(pictures.photo())


@pytest.fixture(scope="module")
def scene() -> Image.Image:
    return Image.fromarray(image_bgr()[:, :, ::-1])


def message(text: str, url: str) -> list[dict[str, Any]]:
    parts = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]
    return [{"role": "user", "content": parts}]


def structured(prompt: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a message with a prompt in a part of its own."""
    [asked] = message("", "x.jpg")
    return [{**asked, "content": [*asked["content"], {"type": "prompt", "prompt": prompt}]}]


def test_boxes_and_points_have_the_masks_that_the_segmenter_gives_them(pipe: Pipeline, photo: Image.Image) -> None:
    response = pipe(("box: 110,90,300,300\npoint: 60,70; point: 400,400,0", photo))
    segmenter = Segmenter.open("SAM-Lite")
    prompts = [Prompt.of_box(110, 90, 300, 300), Prompt.of(points=[[60, 70], [400, 400]], labels=[1, 0])]
    expected = segmenter.decode(segmenter.encode(np.asarray(photo)), prompts)
    assert all((mask == other.full()).all() for mask, other in zip(response.masks, expected, strict=True))
    assert [found.prompt for found in response.objects] == [prompt.to_dict() for prompt in prompts]
    assert [found.score for found in response.objects] == [mask.score for mask in expected]
    first, _, last, _ = [*response.text.split("\n"), ""]
    assert first == f"object ({expected[0].score:.2f}) box: {','.join(map(str, expected[0].box_xyxy))}"
    assert (last, response.finish_reason, str(response)) == ("Found 2 objects.", "stop", response.text)


def test_a_line_of_an_answer_can_be_asked_about_again(pipe: Pipeline, photo: Image.Image) -> None:
    response = pipe(("point: 60,70", photo))
    box = response.text.splitlines()[0].split(") ")[1]
    [found] = pipe((box, photo)).objects
    assert found.prompt == {"box": list(map(float, response.objects[0].box_xyxy))}


def test_a_prompt_may_have_several_images_and_a_call_several_prompts(photo: Image.Image, scene: Image.Image) -> None:
    pipe = pipeline(backend_config=EngineConfig(device="cpu", max_batch_size=2))
    text = "box: 60,60,150,150"
    both, swapped, alone = pipe([(text, [photo, scene]), (scene, text), (text, scene)])
    assert [found.image_index for found in both.objects] == [0, 1]
    assert [line.split(":")[0] for line in both.text.splitlines()] == ["image 1", "image 2", "Found 2 objects."]
    assert [response.index for response in (both, swapped, alone)] == [0, 1, 2]
    assert swapped.text == alone.text
    [mask], [other] = swapped.masks, both.masks[1:]
    assert (mask == other).all()
    assert pipe(list[tuple[Any, Any]]()) == []


def test_phrases_are_found_by_the_detector_with_their_scores(text_pipe: Pipeline, scene: Image.Image) -> None:
    response = text_pipe(("r, G", scene), gen_config=CERTAIN)
    names = [found.name for found in response.objects]
    assert set(names) == {"r", "G"}
    for name in ("r", "G"):
        assert are_at([found.detected_box or () for found in response.objects if found.name == name], name.lower())
    assert all(found.prompt == {"text": found.name} and (found.score or 0) > 0.55 for found in response.objects)
    counts = [f"{names.count(name)} x {name}" for name in dict.fromkeys(names)]
    assert response.text.splitlines()[-1] == f"Found {len(names)} objects: {', '.join(counts)}."
    assert response.finish_reason == "stop"
    limited = text_pipe(("r, G", scene), gen_config=replace(CERTAIN, max_objects=2))
    assert [found.score for found in limited.objects] == [found.score for found in response.objects][:2]
    assert limited.finish_reason == "length"


def test_phrases_with_a_box_are_searched_for_inside_it(text_pipe: Pipeline, scene: Image.Image) -> None:
    x0, y0, x1, y1 = PLACES["g"]
    response = text_pipe((f"r, g, box: {x0 - 9},{y0 - 9},{x1 + 9},{y1 + 9}", scene), gen_config=CERTAIN)
    assert {found.name for found in response.objects} == {"g"}
    nothing = text_pipe(("r", Image.new("RGB", IMAGE_HW[::-1], (110, 110, 110))), gen_config=CERTAIN)
    assert (nothing.text, nothing.objects, nothing.finish_reason) == ("Found nothing.", [], "stop")


def test_without_a_detector_a_phrase_is_answered_with_what_to_pull_before_an_image_is_read(
    pipe: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    for call in (pipe, pipe.stream_infer):
        with pytest.raises(OvsegError, match="`ovseg models pull GroundingDINO-T`") as caught:
            call([("everything", "missing.jpg"), ("dog", "missing.jpg")])
        assert caught.value.code == "model_not_installed"


def test_boxes_are_not_counted_by_the_maximum(pipe: Pipeline, scene: Image.Image) -> None:
    response = pipe(("box: 60,60,150,150\nbox: 0,0,90,90", scene), gen_config=GenerationConfig(max_objects=1))
    assert (len(response.objects), response.finish_reason) == (2, "stop")


def test_everything_mode_takes_options_and_a_maximum(pipe: Pipeline, photo: Image.Image) -> None:
    whole = pipe(("describe this image", photo), gen_config=GenerationConfig(everything=FEW))
    segmenter = Segmenter.open("SAM-Lite")
    *_, step = segmenter.everything(np.asarray(photo), **FEW)
    assert [found.box_xyxy for found in whole.objects] == [answer.mask.box_xyxy for answer in step.answers]
    assert {(found.name, found.prompt.get("text")) for found in whole.objects} == {("object", None)}
    first, empty = pipe([("", photo)] * 2, gen_config=[GenerationConfig(everything=FEW, max_objects=n) for n in (2, 3)])
    assert (len(first.objects), first.finish_reason, len(empty.objects)) == (2, "length", 3)
    assert first.text.startswith("\n".join(whole.text.split("\n")[:2]))


def test_the_parts_of_a_stream_are_the_whole_answer_and_come_as_objects_are_decoded(
    pipe: Pipeline, photo: Image.Image
) -> None:
    text = "\n".join(f"box: {20 * i},10,{20 * i + 100},200" for i in range(20))
    prompts = [(text, photo), ("point: 60,70", [photo, "missing.jpg"])]
    stream = pipe.stream_infer(prompts)
    parts = [next(stream) for _ in range(21)]
    whole = pipe(prompts[0])
    assert "".join(part.text for part in parts) == whole.text
    assert [len(part.objects) for part in parts] == [1] * 20 + [0]
    assert [part.finish_reason for part in parts] == [None] * 20 + ["stop"]
    assert next(stream).index == 1  # the first image was answered before the second one was read
    with pytest.raises(FileNotFoundError):
        next(stream)


def test_messages_may_have_structured_prompts(pipe: Pipeline, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(pictures.photo())
    structured = message("", str(path))
    structured[0]["content"].append({"type": "prompt", "prompt": {"box": [110, 90, 300, 300], "points": [[200, 120]]}})
    in_text = message("box: 110,90,300,300; point: 200,120", path.as_uri())
    single = pipe(structured)
    several = pipe([structured, in_text])
    assert [response.text for response in several] == [single.text] * 2


@pytest.mark.parametrize(
    ("prompt", "error", "reason"),
    [
        ("dog", ValueError, "a prompt is"),
        (("dog",), ValueError, "a prompt is"),
        (("dog", []), ValueError, "has no image"),
        ([{"role": "user", "content": "dog"}], ValueError, "has no image"),
        ((3, 4), ValueError, "the text must be a string"),
        (("box: 1,2,3", "x.jpg"), OvsegError, "must be written as"),
        (("box: 9,9,3,3", "x.jpg"), OvsegError, "must be greater than"),
        (("point: 5,5,0", "x.jpg"), OvsegError, "at least one point needs label 1"),
        (structured({"text": 5}), ValueError, "text must be a list"),
        (structured({"text": ["dog", 5]}), ValueError, "a phrase or a list of phrases, not 5"),
        (structured({"text": "dog", "box": "1,2"}), ValueError, "box must be a list of numbers"),
        (structured({"text": "dog", "points": [[1, 2]]}), OvsegError, "a prompt with text may have a box, not points"),
        (structured({"text": []}), OvsegError, "no phrase"),
        (structured({}), OvsegError, "give a box"),
        (structured({"colour": 5}), ValueError, "must be a mapping of box"),
        (("", ["x.jpg"] * 3), OvsegError, "3 images in one prompt; at most 2"),
        (("a, b, c, d", "x.jpg"), OvsegError, "4 phrases, boxes and points in one prompt; at most 3"),
    ],
)
def test_a_wrong_prompt_is_refused_before_an_image_is_read(prompt: Any, error: type[Exception], reason: str) -> None:
    pipe = pipeline(backend_config=EngineConfig(device="cpu", max_images=2, max_prompts=3))
    with pytest.raises(error, match=reason):
        pipe.stream_infer(prompt)


def test_a_prompt_outside_its_image_is_named(pipe: Pipeline, scene: Image.Image) -> None:
    with pytest.raises(OvsegError) as caught:
        pipe(("point: 9000,1", scene))
    assert (caught.value.code, caught.value.field) == ("point_outside_image", "points[0]")


@pytest.mark.parametrize("name", ["top_p", "top_k", "temperature", "max_new_tokens"])
def test_options_of_language_models_are_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(OvsegError, match=f"{name} is for language models") as caught:
        GenerationConfig(**{name: 1})  # type: ignore[arg-type]
    assert caught.value.field == name


def test_a_chat_template_and_wrong_options_are_refused() -> None:
    with pytest.raises(OvsegError, match="a chat template formats text for a language model"):
        pipeline("SAM-Lite", chat_template_config=object())
    with pytest.raises(OvsegError, match="there is no model"):
        pipeline("liuhaotian/llava-v1.6-vicuna-7b")
    with pytest.raises(OvsegError, match="did you mean points_per_side"):
        GenerationConfig(everything={"points_per_sid": 3})
    for wrong in ({"max_objects": 0}, {"box_threshold": 2}):
        with pytest.raises(OvsegError):
            GenerationConfig(**wrong)  # type: ignore[arg-type]
    with pytest.raises(OvsegError, match="at least 1"):
        EngineConfig(max_batch_size=0)


def test_images_are_loaded_from_urls_files_and_base64(host: Host, tmp_path: Path) -> None:
    url = host.serve("/photo.jpg", pictures.photo())
    (tmp_path / "photo.jpg").write_bytes(pictures.photo())
    expected = image_source.read(pictures.photo())
    for loaded in (load_image(url), load_image(str(tmp_path / "photo.jpg")), load_image_from_url(url)):
        assert loaded.mode == "RGB"
        assert (np.asarray(loaded) == expected).all()
    with pytest.raises(OvsegError, match="a URL begins with"):
        load_image_from_url(str(tmp_path / "photo.jpg"))


def test_importing_the_package_or_what_the_gateway_uses_loads_no_numpy() -> None:
    code = "import sys, ovseg_core.vl, ovseg_core.vl.instruction, ovseg_core.vl.messages, ovseg_core.vl.description"
    subprocess.run([sys.executable, "-c", f"{code}\nassert 'numpy' not in sys.modules"], check=True)
