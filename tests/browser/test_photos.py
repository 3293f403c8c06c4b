"""Photos of all kinds in the playground, in a real browser with the whole service."""

from __future__ import annotations

import io

from PIL import Image

from tests.support import pictures
from tests.support.fakes import Host
from tests.support.playground import IS_READY, Playground
from tests.support.service import Service

HEAD = (220, 90)


def test_a_photo_with_an_orientation_is_upright_as_for_the_service(page: Playground) -> None:
    upright = Image.open(io.BytesIO(pictures.photo())).crop((0, 0, 512, 300))
    turned = pictures.encoded(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=pictures.EXIF_6)
    page.drop("turned.jpg", turned)
    page.wait(IS_READY)
    assert page.page.evaluate("[playground.session.photo.width, playground.session.photo.height]") == [512, 300]
    page.click(*HEAD)
    assert page.objects()[0]["candidates"][0]["size"] == [300, 512]


def test_a_format_that_browsers_lack_is_shown_by_the_services_preview(page: Playground, stack: Service) -> None:
    with Image.open(io.BytesIO(pictures.photo())) as photo:
        large = photo.resize((2400, 2400))
    page.drop("large.tif", pictures.encoded(large, "TIFF", compression="jpeg"), "image/tiff")
    page.wait(IS_READY)
    assert page.page.evaluate("playground.session.photo.picture.levels[0].width") == 2048
    page.click(1031, 422)
    [head] = page.objects()
    assert head["candidates"][0]["size"] == [2400, 2400]
    assert head["candidates"][0]["area"] > 10_000


def test_a_photo_behind_an_address_is_fetched_by_the_service(page: Playground, trusted_host: Host) -> None:
    page.page.fill("#address", trusted_host.serve("/for-the-playground.jpg", pictures.photo()))
    page.page.press("#address", "Enter")
    page.wait(IS_READY)
    page.click(*HEAD)
    assert len(page.objects()) == 1
