"""The playground, in a real browser with the whole service."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from configs.settings import Settings
from tests.browser.conftest import Open
from tests.support import lone_gateway, pictures
from tests.support.playground import IS_READY, Playground
from tests.support.service import Service
from tests.support.waiting import wait_until
from worker.access.keys import Keys
from worker.access.scope import Scope
from worker.store.keyspace import Keyspace

HEAD, SHUTTLE = (220, 90), (340, 4, 462, 300)
NASTY = "<img src=x onerror=alert(1)>\"'&"


@pytest.fixture
def keys(keyspace: Keyspace) -> Keys:
    return Keys(keyspace)


def answered(stack: Service, *prompts: Any, **fields: Any) -> dict[str, Any]:
    """Return the result of a job with the demo's photo."""
    form = {"prompts": list(prompts), "outputs": ["rle"], **fields}
    answer = stack.post(
        "/v1/jobs?wait=60", files={"image": pictures.photo()}, data={"request": json.dumps(form)}
    ).json()
    result: dict[str, Any] = answer["result"]
    return result


def pixels(rle: dict[str, Any]) -> np.ndarray:
    counts = rle.get("counts") or rle["rleResult"]
    decoded: np.ndarray = coco_mask.decode({"size": rle["size"], "counts": counts.encode()})
    return decoded


def test_a_photo_that_is_dropped_is_shown_and_its_embedding_is_made(page: Playground, stack: Service) -> None:
    page.drop("eileen.jpg", pictures.photo())
    page.wait(IS_READY)
    assert not page.page.locator("#welcome").is_visible()
    assert page.page.inner_text("#status") == "Click an object."
    [newest] = stack.get("/v1/jobs", params={"limit": 1}).json()["jobs"]
    assert (newest["outputs"], newest["status"], newest["image"]["width"]) == ([], "succeeded", 512)


def test_a_click_shows_the_masks_of_the_api_and_the_exported_files_have_them_to_the_pixel(
    page: Playground, stack: Service
) -> None:
    page.sample().click(*HEAD)
    page.press("n")
    page.draw_box(*SHUTTLE)
    head, shuttle = page.objects()
    clicked = answered(stack, {"points": [head["prompt"]["points"][0]]}, multimask="all")
    boxed = answered(stack, {"box": shuttle["prompt"]["box"]})
    assert [each["counts"] for each in head["candidates"]] == [mask["rleResult"] for mask in clicked["masks"]]
    assert [each["area"] for each in head["candidates"]] == [info["area"] for info in clicked["maskInfos"]]
    assert [each["box"] for each in head["candidates"]] == [info["box"] for info in clicked["maskInfos"]]
    expected = [pixels(clicked["masks"][0]), pixels(boxed["masks"][0])]

    exported = json.loads(page.export("coco"))
    for annotation, mask in zip(exported["annotations"], expected, strict=True):
        np.testing.assert_array_equal(pixels(annotation["segmentation"]), mask)
        assert annotation["area"] == mask.sum()
        x, y, width, height = annotation["bbox"]
        assert mask[y : y + height, x : x + width].sum() == mask.sum()
    with zipfile.ZipFile(io.BytesIO(page.export("masks"))) as archive:
        assert archive.testzip() is None
        for name, mask in zip(archive.namelist(), expected, strict=True):
            png = np.array(Image.open(archive.open(name)).convert("L"))
            np.testing.assert_array_equal(png, 255 * mask)
    cutout = Image.open(io.BytesIO(page.export("cutout")))
    union = expected[0] | expected[1]
    x0, y0, x1, y1 = Image.fromarray(union).getbbox() or (0, 0, 0, 0)
    assert cutout.size == (x1 - x0, y1 - y0)
    np.testing.assert_array_equal(np.array(cutout)[..., 3], 255 * union[y0:y1, x0:x1])
    assert Image.open(io.BytesIO(page.export("overlay"))).size == (512, 512)


def test_the_code_to_paste_finds_the_same_masks(page: Playground, tmp_path: Path) -> None:
    page.sample().click(*HEAD)
    page.click(220, 40, button="right")
    page.press("n")
    page.draw_box(*SHUTTLE)
    expected = [each["candidates"][0]["area"] for each in page.objects()]
    (tmp_path / "astronaut.jpg").write_bytes(pictures.photo())
    page.page.click("#export")
    codes = {}
    for name in ("curl", "python", "paddlex"):
        page.page.click(f"[data-code={name}]")
        codes[name] = page.page.inner_text("dialog pre.code")

    answer = json.loads(subprocess.check_output(codes["curl"], shell=True, cwd=tmp_path))
    assert len(answer["result"]["masks"]) == 2
    # A prompt with several points and a box have one best mask each, which the page showed as the first candidate.
    assert [info["area"] for info in answer["result"]["maskInfos"]] == expected
    ran = subprocess.check_output([sys.executable, "-c", codes["python"]], cwd=tmp_path, text=True)
    assert [int(line.split()[-1]) for line in ran.splitlines()] == expected
    subprocess.check_output([sys.executable, "-c", codes["paddlex"]], cwd=tmp_path)
    [file] = (tmp_path / "output").glob("*.json")
    assert len(json.loads(file.read_text())["masks"]) == 2


def test_points_beside_an_object_refine_it_and_every_step_can_be_undone(page: Playground, stack: Service) -> None:
    page.sample().click(*HEAD)
    page.click(220, 40, button="right")
    [head] = page.objects()
    assert head["prompt"]["labels"] == [1, 0]
    refined = answered(stack, {"points": head["prompt"]["points"], "labels": [1, 0]}, multimask="all")
    assert head["candidates"][0]["counts"] == refined["masks"][0]["rleResult"]
    page.page.keyboard.down("Alt")
    page.click(200, 150)
    page.page.keyboard.up("Alt")
    assert page.objects()[0]["prompt"]["labels"] == [1, 0, 0]
    page.press("Control+z", "Control+z")
    assert page.objects()[0]["prompt"]["labels"] == [1]
    page.press("Control+Shift+z")
    assert page.objects() == [head]
    page.press("Delete")
    assert page.objects() == []
    assert page.page.locator("#empty").is_visible()
    page.page.click("#undo")
    assert page.objects() == [head]


def test_another_candidate_can_be_chosen_and_refined(page: Playground, stack: Service) -> None:
    page.sample().click(*HEAD)
    page.page.locator("#candidates button").nth(1).click()
    [head] = page.objects()
    second = head["candidates"][1]
    assert f"{second['area']:,} px" in page.page.inner_text("#objects li .figures")
    assert json.loads(page.export("coco"))["annotations"][0]["segmentation"]["counts"] == second["counts"]
    page.click(225, 60)
    [refined] = page.objects()
    assert refined["prompt"]["base"] == second["counts"]
    rle = {"size": second["size"], "counts": second["counts"]}
    prompt = {"points": refined["prompt"]["points"], "labels": [1, 1], "mask": {"rle": rle}}
    expected = answered(stack, prompt, multimask="all")
    assert refined["candidates"][0]["counts"] == expected["masks"][0]["rleResult"]


def test_everything_works_with_the_keyboard_alone(page: Playground) -> None:
    keyboard = page.page.keyboard
    page.page.focus("#sample")
    keyboard.press("Enter")
    page.wait(IS_READY)
    page.page.focus("#stage")
    page.press("ArrowRight", "ArrowUp", "Enter")
    assert len(page.objects()) == 1
    page.press("c")
    assert page.objects()[0]["chosen"] == 1
    page.press("ArrowDown", "Alt+Enter")
    assert page.objects()[0]["prompt"]["labels"] == [1, 0]
    page.press("n", "Shift+Enter", *["ArrowRight"] * 4, *["ArrowDown"] * 4, "Enter")
    [_, boxed] = page.objects()
    x0, y0, x1, y1 = boxed["prompt"]["box"]
    assert x1 - x0 == pytest.approx(y1 - y0, abs=0.2)
    page.press("[")
    assert page.page.inner_text("#objects li.selected .pick") == "1"
    page.press("Delete")
    assert [each["number"] for each in page.objects()] == [2]
    page.press("Control+z")
    page.page.locator("#objects input").first.focus()
    keyboard.type("suit")
    keyboard.press("Enter")
    assert page.objects()[0]["label"] == "suit"
    page.press("Control+s")
    assert page.page.locator("dialog").is_visible()
    page.press("Escape", "?")
    assert "Shift Enter" in page.page.inner_text("dialog")


def test_a_dialog_that_opens_right_after_another_is_closed_is_the_only_one(page: Playground) -> None:
    page.page.keyboard.press("?")
    shown = page.page.evaluate(
        """() => {
          document.querySelector("dialog").close();
          document.dispatchEvent(new KeyboardEvent("keydown", { key: "?" }));
          return [...document.querySelectorAll("dialog")].map(({ open }) => open);
        }"""
    )
    assert shown == [True]


def test_a_phone_shows_everything_without_scrolling_sideways(pages: Open) -> None:
    phone = pages(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, device_scale_factor=2).open()
    phone.page.tap("#sample")
    phone.wait(IS_READY)
    phone.page.touchscreen.tap(*phone.place(*HEAD))
    phone.wait("playground.session.state.objects.length === 1")
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 360
    for button in phone.page.locator("button:visible").all():
        box = button.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert min(box["width"], box["height"]) >= 30


def test_texts_from_outside_are_never_read_as_html(page: Playground) -> None:
    page.drop(f"{NASTY}.jpg", pictures.photo())
    page.wait(IS_READY)
    page.click(*HEAD)
    page.page.locator("#objects input").fill(NASTY)
    page.page.locator("#objects input").press("Enter")
    assert page.objects()[0]["label"] == NASTY
    svg = page.export("svg").decode()
    assert "<img" not in svg
    page.page.click("#export")
    assert NASTY.replace("'", "'\\''") in page.page.inner_text("pre.code")
    assert page.page.locator("img[src=x]").count() == 0
    with pytest.raises(Exception, match="TrustedHTML"):
        page.page.evaluate("document.body.innerHTML = '<b>x</b>'")
    wait_until(lambda: page.page.title() and page.complaints)  # the title, because complaints come with answers
    page.complaints.clear()


def test_a_saved_job_opens_with_its_photo_objects_and_choices(page: Playground, pages: Open, stack: Service) -> None:
    page.sample().click(*HEAD)
    page.page.locator("#candidates button").nth(2).click()
    page.press("n")
    page.draw_box(*SHUTTLE)
    page.page.locator("#objects input").last.fill(NASTY)
    page.page.locator("#objects input").last.press("Enter")
    page.page.click("#share")
    page.page.locator("dialog button.strong").click()
    link = page.page.locator("dialog pre").inner_text()
    page.page.wait_for_url(link)
    other = pages().open(link.removeprefix(stack.url))
    other.wait("playground.session.state.objects.length > 0")
    shown = [
        (each["label"], each["candidates"][each["chosen"]]["counts"], each["prompt"]["points"], each["prompt"]["box"])
        for page_ in (page, other)
        for each in page_.objects()
    ]
    assert shown[:2] == shown[2:]
    other.wait(IS_READY)
    other.click(230, 40)
    assert other.page.locator("img[src=x]").count() == 0
    stack.delete(f"/v1/jobs/{link.partition('job=')[2]}")
    gone = pages(may_complain=True).open(link.removeprefix(stack.url))
    gone.wait("playground.session.problem !== null")
    assert "no such job" in gone.notice()


def test_a_service_with_keys_asks_for_one_and_the_page_does_not_keep_it(
    pages: Open, s3_settings: Settings, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVSEG_AUTH", "required")
    key = str(keys.create("page", [Scope.JOBS_READ, Scope.JOBS_WRITE]))
    with lone_gateway.running(s3_settings) as gateway:
        page = pages(gateway.url, may_complain=True)
        page.page.goto(gateway.url)
        field = page.page.locator("dialog input[type=password]")
        field.fill("ovk_wrong")
        field.press("Enter")
        page.wait("document.querySelector('dialog [role=alert]').textContent !== ''")
        field.fill(key)
        field.press("Enter")
        page.wait("playground.session.models.length > 0")
        kept = page.page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
        assert key not in kept
        page.page.reload()
        page.wait("playground.session.models.length > 0")
        page.page.click("#key")
        page.page.locator("dialog button", has_text="Sign out").click()
        field.wait_for()


def test_everything_lists_all_objects_that_the_service_finds(page: Playground, stack: Service) -> None:
    page.sample()
    page.page.click("#everything")
    page.rest()
    [job] = stack.get("/v1/jobs", params={"limit": 1}).json()["jobs"]
    result = stack.wait(job["id"])["result"]
    assert sorted(each["candidates"][0]["counts"] for each in page.objects()) == sorted(
        mask["rleResult"] for mask in result["masks"]
    )


def test_a_model_that_is_not_installed_shows_how_to_get_it(page: Playground) -> None:
    page.page.click("#model")
    page.page.locator("dialog details.more > summary").first.click()
    page.page.locator("dialog summary", has_text="MobileSAM").click()
    assert page.page.locator("pre", has_text="ovseg models pull MobileSAM").is_visible()
    page.page.keyboard.press("Escape")
    page.sample()
    page.page.fill("#phrases", "helmet")
    page.page.press("#phrases", "Enter")
    assert "GroundingDINO-T" in page.page.inner_text("dialog")


@pytest.mark.parametrize("has_ended", [False, True])
def test_the_event_source_of_the_docs_shows_a_result(has_ended: bool, page: Playground, stack: Service) -> None:
    text = (Path(__file__).parents[2] / "docs" / "live-events.md").read_text()
    [program] = [block for block in re.findall(r"```javascript\n(.*?)```", text, re.DOTALL) if "EventSource(" in block]
    photo = base64.b64encode(pictures.photo()).decode()
    job = stack.submit(image=photo, prompts={"everything": {"points_per_side": 2}})
    if has_ended:
        stack.wait(job["id"])
    run = f"(id) => new Promise((show) => {{ const bar = {{}}\n{program} }})"
    assert page.page.evaluate(run, job["id"])["maskInfos"] == stack.wait(job["id"])["result"]["maskInfos"]


def test_axe_finds_no_serious_fault(page: Playground) -> None:
    faults = page.faults()
    page.sample().click(*HEAD)
    faults += page.faults()
    for button in ("export", "model", "help", "share"):
        page.page.click(f"#{button}")
        page.page.locator("dialog").wait_for()
        faults += page.faults()
        page.page.keyboard.press("Escape")
    assert faults == []
