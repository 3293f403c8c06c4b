"""Whole heads for Clothing Co-Parsing, whose labels have the hair or the hat alone: a box of it is that of a head."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from training.photos import Image, Photo, Segment

TOUCH = 10  # pixels of a face that are next to the hair


def with_heads(photo: Photo) -> Photo:
    """Return a photo of clothing in which the segment at the top of the person is the whole head, if it has a face."""
    people = [segment for segment in photo.segments if segment.is_thing]
    if photo.source != "ccp" or len(people) != 1:
        return photo
    parts = [segment for segment in photo.segments if not segment.is_thing]
    at_top = [part for part in parts if _is_at_top(part, people[0])]
    if not at_top:
        return photo
    masks = {id(part): part.mask() for part in parts}
    hair = max(at_top, key=lambda part: int(masks[id(part)].sum()))
    faces = [_face(masks[id(part)], masks[id(hair)], hair) for part in parts if part is not hair]
    face = max((face for face in faces if face is not None), key=lambda face: int(face.sum()), default=None)
    if face is None:
        return photo
    head = _of(masks[id(hair)] | face)
    return replace(photo, segments=[head if segment is hair else segment for segment in photo.segments])


def _is_at_top(part: Segment, person: Segment) -> bool:
    _, y, width, height = person.box
    return part.box[1] < y + 0.03 * height and part.box[3] < 0.35 * height and part.box[2] < 0.7 * width


def _face(part: Image, hair: Image, of: Segment) -> Image | None:
    """Return the piece of a part, such as of the skin, that lies below the hair, is no wider, and touches it."""
    x, y, width, height = of.box
    near = cv2.dilate(hair, np.ones((5, 5), np.uint8)) > 0
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(part)
    for k in range(1, count):
        left, top, wide, high, area = stats[k]
        is_below = left > x - 0.2 * width and left + wide < x + 1.2 * width and top < y + 0.8 * height
        is_face = is_below and high < 2 * height and area > 0.1 * int(hair.sum())
        if is_face and np.count_nonzero(near & (pieces == k)) > TOUCH:
            return (pieces == k).astype(np.uint8)
    return None


def _of(mask: Image) -> Segment:
    """Return the segment of a mask without its holes, such as those of glasses."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = np.zeros_like(mask)
    cv2.drawContours(whole, outlines, -1, 1, cv2.FILLED)
    rle = coco_mask.encode(np.asfortranarray(whole))
    return Segment(rle, True, tuple(coco_mask.toBbox(rle).tolist()))
