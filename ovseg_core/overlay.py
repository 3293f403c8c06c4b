"""Draw a result: coloured masks with outlines over the photo, and the prompts on top."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from ovseg_core import box_overlay, jpeg_file, longest_sides, name_tags, palette, png_file
from ovseg_core.answer import Answer
from ovseg_core.mask import Mask
from ovseg_core.name_tags import Tag
from ovseg_core.outputs import Detection, Drawing
from ovseg_core.prompts import Prompt

OPACITY = 0.45  # enough to see which pixels are in the mask, and still see the photo under it
MAX_LINE_WIDTH = 32  # pixels; in a long, narrow picture, a width in proportion to its length would cover it
GREEN, RED, WHITE = (34, 197, 94), (239, 68, 68), (255, 255, 255)


def draw(
    image_rgb: np.ndarray,
    answers: Sequence[Answer],
    prompts: Sequence[Prompt],
    names: Sequence[str | None] | None = None,
) -> np.ndarray:
    """Return a copy of the photo with the masks and, on top, the prompts and their names.

    Each mask has the colour of its index. Of several candidates for one prompt only the best is filled, and the others
    are outlined: candidates overlap, and several fills on top of each other are unreadable. The masks of everything
    mode overlap too: each pixel has only the colour of the smallest mask that covers it.

    Args:
        image_rgb: (H, W, 3) uint8; it is not changed.
        answers: the masks.
        prompts: the prompts to mark, each in the colour of its first mask.
        names: for each prompt its name, or None; None for prompts without names. A name that no font has is replaced by
            the number of the prompt's first mask.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    picture = image_rgb.copy()
    # The line width in pixels grows with the photo, so that lines look alike in photos of any size.
    unit = min(max(1, round(max(picture.shape[:2]) / 480)), MAX_LINE_WIDTH)
    # Prompts are compared by identity: equal ones may stand for two phrases, if a detector finds the same box for both.
    first_of = {id(answer.prompt): i for i, answer in reversed(list(enumerate(answers)))}
    is_outlined = [i > first_of[id(a.prompt)] and not a.is_of_everything for i, a in enumerate(answers)]
    # Large masks are drawn first, so a small object inside a large one stays visible.
    for i in sorted(range(len(answers)), key=lambda i: (is_outlined[i], -answers[i].mask.area)):
        under = image_rgb if answers[i].is_of_everything else picture
        _draw_mask(picture, answers[i].mask, palette.colour(i), unit, None if is_outlined[i] else under)
    for i, prompt in enumerate(prompts):
        _mark(picture, prompt, palette.colour(first_of.get(id(prompt), i)), unit)
    firsts = [first_of.get(id(prompt)) for prompt in prompts]
    name_tags.draw(picture, list(_tags(answers, prompts, firsts, names or ())))
    return picture


def jpeg(of: Drawing, quality: int = jpeg_file.QUALITY) -> bytes:
    """Return the drawn result as a JPEG file, scaled down if a side is too long for JPEG."""
    return jpeg_file.of(fitted(_drawn(of), longest_sides.JPEG), quality)


def png(of: Drawing) -> bytes:
    """Return the drawn result as a PNG file, in its full size."""
    return png_file.of(_drawn(of))


def of_objects(image_rgb: np.ndarray, objects: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Return a copy of the photo with the boxes of PaddleX's objects and their labels, each label in its own colour.

    Each object has `coordinate` [x0, y0, x1, y1] in pixels, `label` and `score`.
    """
    labels = list(dict.fromkeys(each["label"] for each in objects))
    return box_overlay.draw(
        image_rgb,
        [each["coordinate"] for each in objects],
        [f"{each['label']} {each['score']:.2f}" for each in objects],
        [labels.index(each["label"]) for each in objects],
    )


def _drawn(of: Drawing) -> np.ndarray:
    if isinstance(of, Detection):
        return of_objects(of.picture(), of.objects)
    return draw(of.picture(), of.answers, of.prompts, of.names)


def _tags(
    answers: Sequence[Answer],
    prompts: Sequence[Prompt],
    firsts: Sequence[int | None],
    names: Sequence[str | None],
) -> Iterator[Tag]:
    """Yield the names of those prompts that have one and a mask, at their boxes or, without a box, at their masks."""
    for prompt, first, name in zip(prompts, firsts, names, strict=False):
        if name is not None and first is not None:
            yield Tag(name, first, prompt.box or answers[first].mask.box_xyxy, palette.colour(first))


def fitted(picture: np.ndarray, longest: int) -> np.ndarray:
    """Return the picture (H, W, 3), scaled down if a side is longer than `longest` pixels."""
    height, width = picture.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return picture
    wh = max(1, round(width * scale)), max(1, round(height * scale))
    scaled: np.ndarray = cv2.resize(picture, wh, interpolation=cv2.INTER_AREA)
    return scaled


def _draw_mask(picture: np.ndarray, mask: Mask, colour: palette.RGB, unit: int, under: np.ndarray | None) -> None:
    """Draw a mask into the picture: its outline, and the pixels of `under`, tinted, unless `under` is None."""
    if not mask.area:
        return
    x0, y0, x1, y1 = mask.box_xyxy
    crop = mask.crop().view(np.uint8)
    if under is not None:
        cv2.copyTo(cv2.LUT(under[y0:y1, x0:x1], _tint(colour)), crop, picture[y0:y1, x0:x1])
    outlines, _ = cv2.findContours(crop, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(x0, y0))
    # Drawing time depends on the number of corners. A line of width `unit` looks the same without the corners that move
    # it by less than a sixth of its width.
    outlines = [cv2.approxPolyDP(outline, unit / 6, closed=True) for outline in outlines]
    cv2.drawContours(picture, outlines, -1, colour, unit, cv2.LINE_AA)


def _tint(colour: palette.RGB) -> np.ndarray:
    """Return the tinted value of each value in each channel, as a table (1, 256, 3) uint8."""
    values = np.arange(256)[:, None]
    return np.round(values * (1 - OPACITY) + np.array(colour) * OPACITY).astype(np.uint8)[None]


def _mark(picture: np.ndarray, prompt: Prompt, colour: palette.RGB, unit: int) -> None:
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box
        corners = _near(picture, x0, y0, unit), _near(picture, x1, y1, unit)
        cv2.rectangle(picture, *corners, WHITE, unit + 2, cv2.LINE_AA)
        cv2.rectangle(picture, *corners, colour, unit, cv2.LINE_AA)
    for (x, y), label in zip(prompt.points, prompt.labels, strict=True):
        centre, radius = _near(picture, x, y, unit), 5 * unit
        cv2.circle(picture, centre, radius + unit, WHITE, -1, cv2.LINE_AA)
        cv2.circle(picture, centre, radius, GREEN if label else RED, -1, cv2.LINE_AA)
        arm = radius - 2 * unit  # a plus for label 1, a minus for label 0: readable without the colours
        cv2.line(picture, (centre[0] - arm, centre[1]), (centre[0] + arm, centre[1]), WHITE, unit)
        if label:
            cv2.line(picture, (centre[0], centre[1] - arm), (centre[0], centre[1] + arm), WHITE, unit)


def _near(picture: np.ndarray, x: float, y: float, unit: int) -> tuple[int, int]:
    """Return the pixel of a position, which is first clipped to just beyond the picture.

    OpenCV's coordinates have 32 bits. Nothing drawn that far outside is visible, so clipping does not change the
    picture.
    """
    height, width = picture.shape[:2]
    beyond = 8 * unit  # more than the radius of a point and the width of a line
    return round(min(max(x, -beyond), width + beyond)), round(min(max(y, -beyond), height + beyond))
