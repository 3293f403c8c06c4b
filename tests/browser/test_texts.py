"""The playground finds objects by words, with a detector of two colours: "r" is red and "g" is green."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from PIL import Image

from configs.settings import Settings
from ovseg.embedded.seaweedfs import BUCKET, Seaweedfs
from tests.browser.conftest import Open
from tests.support import colour_worker, lone_gateway, pictures
from tests.support.playground import IS_READY, Playground
from tests.support.waiting import wait_until

HW = (240, 380)
RED, GREEN = (0, 1), (1, 4)  # cells of the scene


def scene(**words: tuple[int, int]) -> bytes:
    """Return a photo with a red (r) or green (g) object in each of these cells."""
    pixels = colour_worker.scene({cell: word for word, cell in words.items()}, HW)
    return pictures.encoded(Image.fromarray(pixels), "PNG")


def asked(photo: bytes, *phrases: str) -> dict[str, Any]:
    """Return the request of a job that finds phrases in a photo."""
    return {
        "image": base64.b64encode(photo).decode(),
        "prompts": [{"text": list(phrases)}],
        "detector": colour_worker.NAME,
        "outputs": ["rle"],
    }


@pytest.fixture(scope="module")
def settings_of_words(redis_url: str, s3: Seaweedfs) -> Settings:
    return Settings(redis_url=redis_url, redis_prefix="words:", s3_endpoint_url=s3.endpoint_url, s3_bucket=BUCKET)


@pytest.fixture(scope="module")
def url(settings_of_words: Settings) -> Iterator[str]:
    with lone_gateway.running(settings_of_words, is_patient=True) as gateway:
        yield gateway.url


@pytest.fixture(scope="module")
def detector(settings_of_words: Settings, url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with colour_worker.running(settings_of_words, tmp_path_factory.mktemp("models")):
        shown = f"{url}/v1/models/{colour_worker.NAME}"
        wait_until(lambda: requests.get(shown, timeout=60).json()["installed"])
        job = requests.post(f"{url}/v1/jobs", json=asked(scene(r=RED), "r"), timeout=60).json()  # loads the detector
        wait_until(lambda: requests.get(f"{url}/v1/jobs/{job['id']}", timeout=60).json()["is_final"])
        yield


def find(page: Playground, phrases: str) -> list[str]:
    """Find objects by words and return the labels in the list of all objects."""
    page.page.fill("#phrases", phrases)
    page.page.press("#phrases", "Enter")
    page.wait("playground.session.running !== null || playground.session.found !== null")
    page.wait("playground.session.running === null")
    labels: list[str] = page.page.eval_on_selector_all("#objects input", "(found) => found.map((each) => each.value)")
    return labels


def test_a_detector_that_is_installed_meanwhile_is_used_without_a_reload(
    pages: Open, url: str, request: pytest.FixtureRequest
) -> None:
    page = pages(url).open()
    assert page.page.get_attribute("#phrases", "placeholder") == "Find by words: not installed"
    page.page.fill("#phrases", "r")
    page.page.press("#phrases", "Enter")
    page.page.locator("dialog .badge", has_text="no worker is alive").first.wait_for()
    page.page.keyboard.press("Escape")
    request.getfixturevalue("detector")
    page.drop("green.png", scene(g=GREEN), "image/png")
    page.wait(IS_READY)
    assert find(page, "g") == ["g"]


@pytest.mark.usefixtures("detector")
def test_words_find_the_masks_of_the_api_and_label_them(pages: Open, url: str) -> None:
    photo = scene(r=RED, g=GREEN)
    page = pages(url).open()
    page.drop("red and green.png", photo, "image/png")
    page.wait(IS_READY)
    assert find(page, "r, g,") == ["r", "g"]
    assert page.page.inner_text("#status") == "Objects found: 2"
    masks = requests.post(f"{url}/v1/jobs?wait=60", json=asked(photo, "r", "g"), timeout=90).json()["result"]["masks"]
    assert [each["candidates"][0]["counts"] for each in page.objects()] == [mask["rleResult"] for mask in masks]
    x0, y0, x1, y1 = colour_worker.box(RED, HW)
    page.page.click("#objects .pick >> nth=0")
    page.click((x0 + x1) / 2, (y0 + y1) / 2)
    assert [each["label"] for each in page.objects()] == ["r", "g"]


@pytest.mark.usefixtures("detector")
def test_words_that_name_nothing_in_the_photo_find_no_object(pages: Open, url: str) -> None:
    page = pages(url).open()
    page.drop("green.png", scene(g=GREEN), "image/png")
    page.wait(IS_READY)
    assert find(page, "r") == []
    assert page.page.inner_text("#status") == "Objects found: 0"
    assert page.notice() == ""
