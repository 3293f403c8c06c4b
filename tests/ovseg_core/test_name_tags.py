"""Names on pictures: in which scripts, at which places, and in pictures of any size."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from ovseg_core import name_fonts, name_tags, overlay, palette
from ovseg_core.answer import Answer
from ovseg_core.mask import Mask
from ovseg_core.name_tags import Box, Tag
from ovseg_core.prompts import Prompt

GREY = 90
BLUE = (10, 20, 200)


def picture(height: int = 300, width: int = 450) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def drawn(*tags: Tag, image: np.ndarray | None = None) -> np.ndarray:
    changed = picture() if image is None else image.copy()
    name_tags.draw(changed, tags)
    return changed


def place(of: np.ndarray, colour: palette.RGB = BLUE) -> tuple[int, int, int, int]:
    """Return the box around the pixels of a colour."""
    ys, xs = np.nonzero((of == colour).all(axis=2))
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


@pytest.mark.parametrize(
    "name", ["dog", "łódź ñ Ğ ő", "σκύλος", "собака", "ґанок", "狗", "猫和狗", "貓", "犬です", "개", "e\u0301"]
)
def test_latin_greek_cyrillic_and_chinese_names_have_a_font(name: str) -> None:
    assert name_fonts.shown(name) is not None


@pytest.mark.parametrize("name", ["\N{DOG FACE}", "כלב", "कुत्ता", "كلب", "dog \N{DOG FACE}", "a\x07b", "", "  "])
def test_a_name_that_no_font_has_is_replaced_by_the_number(name: str) -> None:
    box = (50.0, 100.0, 200.0, 200.0)
    assert name_fonts.shown(name) is None
    assert np.array_equal(drawn(Tag(name, 17, box, BLUE)), drawn(Tag("17", 0, box, BLUE)))


@pytest.fixture
def _without_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "manimgx_fonts", None)
    name_fonts._makers.cache_clear()
    yield
    name_fonts._makers.cache_clear()


@pytest.mark.usefixtures("_without_fonts")
def test_without_the_extra_fonts_names_are_in_ascii() -> None:
    assert name_fonts.shown("walking man 0.53") == "walking man 0.53"
    assert name_fonts.shown("狗") is None
    assert place(drawn(Tag("a dog with a very long name " * 9, 0, (5, 60, 9, 90), BLUE)))[2] <= 225  # cut


def test_a_name_is_above_its_object_in_the_object_s_colour_and_is_cut_if_it_is_too_long() -> None:
    x0, y0, x1, y1 = place(drawn(Tag("dog", 0, (50, 100, 200, 200), BLUE)))
    assert (x0, y1) == (50, 100)
    assert 11 <= y1 - y0 <= 30
    long = place(drawn(Tag("dog " * 100, 0, (50, 100, 200, 200), BLUE)))
    assert x1 - x0 < long[2] - long[0] <= 225


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((50, 5, 200, 200), "inside"),
        ((-40, -30, 600, 900), "inside"),
        ((440, 100, 449, 200), "above"),
        ((900, 900, 990, 990), "inside"),
    ],
)
def test_a_name_without_room_above_its_object_is_inside_and_always_in_the_picture(box: Box, expected: str) -> None:
    x0, y0, x1, y1 = place(drawn(Tag("dog", 0, box, BLUE)))
    assert 0 <= x0 < x1 <= 450
    assert 0 <= y0 < y1 <= 300
    assert (y1 == box[1]) == (expected == "above")


def test_names_do_not_cover_one_another_and_where_there_is_no_room_the_number_is_drawn() -> None:
    box, red = (100.0, 100.0, 220.0, 180.0), (220, 10, 10)
    both = drawn(Tag("dog", 0, box, BLUE), Tag("dog", 1, box, red))
    alone = drawn(Tag("dog", 0, box, BLUE))
    x0, y0, x1, y1 = place(alone)
    assert np.array_equal(both[y0:y1, x0:x1], alone[y0:y1, x0:x1])
    assert place(both, red)[2] - place(both, red)[0] == x1 - x0
    narrow = drawn(Tag("animal", 0, (0, 0, 60, 20), BLUE), Tag("animal", 7, (0, 0, 60, 20), red), image=picture(20, 60))
    number = drawn(Tag("animal", 0, (0, 0, 60, 20), BLUE), Tag("7", 7, (0, 0, 60, 20), red), image=picture(20, 60))
    assert np.array_equal(narrow, number)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 500), (500, 1), (12, 12), (100, 9000), (4000, 6000)])
@pytest.mark.parametrize("colour", [(10, 20, 200), (250, 250, 90)])
def test_a_name_has_contrast_in_pictures_of_any_size(height: int, width: int, colour: palette.RGB) -> None:
    changed = drawn(Tag("dog", 0, (0, 0, width, height), colour), image=picture(height, width))
    x0, y0, x1, y1 = place(changed, colour)
    if min(height, width) >= 12:
        letters = changed[y0:y1, x0:x1][(changed[y0:y1, x0:x1] != colour).any(axis=2)]
        assert abs(letters.mean(axis=1) - np.mean(colour)).max() > 100
    assert y1 - y0 <= max(30, height // 10, width // 20)


def test_the_overlay_names_prompts_at_their_boxes_or_masks_in_the_colour_of_the_first_mask() -> None:
    prompts = [Prompt.of_point(60, 150), Prompt.of_box(200, 100, 300, 200), Prompt.of_point(400, 50)]
    squares = [(40, 130), (220, 120), (240, 140)]
    masks = [Mask.of_crop(np.ones((40, 40), bool), corner, (300, 450), 0.9) for corner in squares]
    answers = [Answer(mask, prompts[i], i) for mask, i in zip(masks, (0, 1, 1), strict=True)]
    plain = overlay.draw(picture(), answers, prompts)
    named = overlay.draw(picture(), answers, prompts, ["dog", "cat", "nothing is there"])
    ys, xs = np.nonzero((plain != named).any(axis=2))
    of_dog, of_cat = xs < 150, xs > 150
    assert (int(xs[of_dog].min()), int(ys[of_dog].max()) + 1) == (40, 130)
    assert (int(xs[of_cat].min()), int(ys[of_cat].max()) + 1) == (200, 100)
    for x, y, first in ((41, 127, 0), (201, 97, 1)):
        assert tuple(named[y, x]) == palette.colour(first)
    assert np.array_equal(plain, overlay.draw(picture(), answers, prompts, [None, None, None]))
