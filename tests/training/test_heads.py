"""The hair of a person in the photos of clothing becomes the whole head, if there is a face below it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pycocotools import mask as coco_mask

from training.heads import with_heads
from training.photos import Photo, Segment


def segment(
    is_thing: bool, *boxes: tuple[int, int, int, int], without: tuple[int, int, int, int] | None = None
) -> Segment:
    mask = np.zeros((400, 200), np.uint8, order="F")
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = 1
    if without:
        left, top, right, bottom = without
        mask[top:bottom, left:right] = 0
    rle = coco_mask.encode(mask)
    return Segment(rle, is_thing, tuple(coco_mask.toBbox(rle).tolist()))


PERSON = segment(True, (80, 20, 120, 80), (50, 80, 150, 390))
HAIR = segment(False, (80, 20, 120, 45), without=(85, 35, 115, 45))
SKIN = segment(
    False, (85, 35, 115, 75), (50, 200, 60, 260), without=(90, 50, 110, 55)
)  # a face with glasses, and a hand
COAT = segment(False, (50, 80, 150, 390))
PHOTO = Photo("ccp", "one.jpg", True, np.zeros(1, np.uint8), [PERSON, HAIR, SKIN, COAT])


def test_hair_and_face_become_one_head_without_holes() -> None:
    person, head, *rest = with_heads(PHOTO).segments
    assert (person, rest) == (PERSON, [SKIN, COAT])
    assert head.is_thing
    assert (head.mask() == segment(False, (80, 20, 120, 45), (85, 35, 115, 75)).mask()).all()


def test_other_photos_and_people_without_a_face_stay_as_they_are() -> None:
    for photo in (
        replace(PHOTO, source="coco"),
        replace(PHOTO, segments=[PERSON, HAIR, COAT]),
        replace(PHOTO, segments=[PERSON, PERSON, HAIR, SKIN]),
        replace(PHOTO, segments=[PERSON, COAT, SKIN]),
    ):
        assert with_heads(photo) is photo
