"""One image of a caller, in every form in which it can be given."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from ovseg_core import image_source
from ovseg_core.errors import OvsegError
from tests.support import pictures
from tests.support.fakes import Host

PIXELS = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
PNG = pictures.encoded(Image.fromarray(PIXELS), "PNG")
BASE64 = base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    "given",
    [
        PNG,
        BASE64,
        f"data:image/png;base64,{BASE64}",
        f"data:image/png,{quote(PNG)}",
        Image.fromarray(PIXELS),
        PIXELS,
        np.dstack([PIXELS, np.zeros((6, 8), np.uint8)]),
    ],
    ids=["bytes", "base64", "data URL", "percent-encoded data URL", "PIL", "array", "array with alpha"],
)
def test_the_pixels_are_the_same_in_every_form(given: Any) -> None:
    assert (image_source.read(given) == PIXELS).all()


def test_files_and_urls_are_read(tmp_path: Path, host: Host) -> None:
    path = tmp_path / "an image.png"
    path.write_bytes(PNG)
    for given in (path, str(path), path.as_uri(), host.serve("/a.png", PNG)):
        assert (image_source.read(given) == PIXELS).all()


def test_an_array_is_rgb_and_grey_is_repeated() -> None:
    red = np.zeros((4, 5, 3), np.uint8)
    red[:, :, 0] = 255
    assert (image_source.read(red)[0, 0] == (255, 0, 0)).all()
    assert (image_source.read(np.full((4, 5), 7, np.uint8)) == 7).all()


def test_the_orientation_of_exif_is_applied_to_files_and_to_pil() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    data = pictures.encoded(Image.fromarray(PIXELS), "PNG", exif=exif)
    of_file, of_pil = image_source.read(data), image_source.read(Image.open(io.BytesIO(data)))
    assert of_file.shape == (8, 6, 3)
    assert (of_file == of_pil).all()


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("missing.jpg", FileNotFoundError),
        ("", FileNotFoundError),
        (Path("missing.jpg"), FileNotFoundError),
        ("/", IsADirectoryError),
        ("data:image/png;base64", OvsegError),
        (BASE64[:-40], OvsegError),
        (b"no image", OvsegError),
        (np.zeros((4, 5), np.float32), ValueError),
        (np.zeros((4, 5, 2), np.uint8), ValueError),
        (3, TypeError),
        (None, TypeError),
    ],
)
def test_what_is_no_image_is_refused(given: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        image_source.read(given)


def test_a_url_without_a_file_is_unreachable_and_a_pipe_is_not_read(tmp_path: Path, host: Host) -> None:
    with pytest.raises(OvsegError) as caught:
        image_source.read(host.url("/missing.png"))
    assert caught.value.code == "url_unreachable"
    assert caught.value.message.startswith(f"{host.url('/missing.png')!r}: 404")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OvsegError, match="neither a file nor a folder"):
        image_source.read(tmp_path / "pipe")
