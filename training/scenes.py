"""Training scenes: a random view of a photo, with things pasted over it, and the exact masks of the things."""

from __future__ import annotations

import math
import random
import subprocess
import tarfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.photos import Image, Photo, Segment

SIZE = 512  # side of a canvas
GREY = 127  # of the canvas outside the photo; 0 for the network
CLICKS = 3  # of each kind that a scene has for a thing
LEAST_AREA = 90  # pixels of the canvas; smaller things get no prompts
EMOJI_PACKAGE = "@lobehub/fluent-emoji-3d@1.1.0"  # on npm, MIT: 3,392 rendered objects with alpha

# Shares of the canvases. The sources with one object a photo (animals, pets, caltech101) have little of them.
SHARES = {
    "coco": 0.8,
    "ccp": 0.1,
    "animals": 0.07,
    "feral-cats": 0.04,
    "road": 0.03,
    "pets": 0.025,
    "caltech101": 0.025,
    "facade": 0.025,
    "food-id": 0.02,
    "car-panels": 0.01,
    "fruits-nuts": 0.01,
    "boards": 0.005,
    "electronics": 0.005,
    "strawberry": 0.005,
    "mushrooms": 0.005,
    "emoji3d": 0.0,  # `emoji` has the same pictures, and some of its backgrounds are held-out photos
}
SHARE_OF_OTHERS = 0.3  # of each source that is not listed; the shares need not add up to 1
# Shares of the things that are pasted over other photos, by source: those with good outlines.
CUT_OUTS = {"coco": 0.65, "animals": 0.1, "pets": 0.05, "feral-cats": 0.05, "ccp": 0.15}


def emoji(folder: Path) -> list[Image]:
    """Return pictures (h, w, 4), RGBA, fetched from npm at the first use; an empty list if npm is not available."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if not list(folder.glob("*.tgz")):
            subprocess.run(["npm", "pack", "--silent", EMOJI_PACKAGE], cwd=folder, check=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"training without emoji: {error}")
        return []
    pictures = []
    for archive in folder.glob("*.tgz"):
        with tarfile.open(archive) as files:
            for member in files:
                if member.name.endswith(".webp") and "-1f3f" not in member.name:  # one skin tone of each
                    handle = files.extractfile(member)
                    assert handle is not None
                    data = np.frombuffer(handle.read(), np.uint8)
                    picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
                    if picture is not None and picture.ndim == 3 and picture.shape[2] == 4:
                        pictures.append(cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA))
    return pictures


@dataclass(frozen=True)
class Scene:
    image: Image  # (SIZE, SIZE, 3), RGB
    masks: Image  # (K, SIZE / 2, SIZE / 2), 0 to 255
    boxes: NDArray[np.float32]  # (K, 4), tight, in pixels of the canvas
    positives: NDArray[np.float32]  # (K, CLICKS, 2), on the thing; the first one well inside
    negatives: NDArray[np.float32]  # (K, CLICKS, 2), next to the thing


class Scenes:
    """Scenes by number, with `slots` prompted things each. Things are repeated if there are fewer.

    A scene depends on the seed and its number alone, so that a training that resumes sees the scenes that it would have
    seen.
    """

    def __init__(self, photos: Sequence[Photo], emoji: Sequence[Image], slots: int, seed: int) -> None:
        self.emoji, self.slots, self.seed = emoji, slots, seed
        in_source = Counter(photo.source for photo in photos)
        self.photos = list(photos)
        self.shares = [SHARES.get(p.source, SHARE_OF_OTHERS) / in_source[p.source] for p in photos]
        self.cut_outs = [(p, s) for p in photos for s in p.segments if is_cut_out(p, s)]
        of_source = Counter(p.source for p, _ in self.cut_outs)
        self.cut_out_shares = [CUT_OUTS.get(p.source, SHARE_OF_OTHERS) / of_source[p.source] for p, _ in self.cut_outs]

    def __getitem__(self, number: int) -> Scene:
        """Draw a scene. It sets the random generators of Python, NumPy and OpenCV."""
        seed = int(np.random.SeedSequence((self.seed, number)).generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        cv2.setRNGSeed(seed % 2**31)
        while True:
            scene = self._scene()
            if scene is not None:
                return scene

    def _scene(self) -> Scene | None:
        [photo] = random.choices(self.photos, self.shares)
        pixels = photo.pixels()
        view, focus = self._view(photo, pixels.shape)
        image = cv2.warpAffine(recoloured(pixels), view, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderValue=(GREY,) * 3)
        masks = [warped(s.mask(), view) for s in self._chosen(photo, view, focus)]
        can_paste = self.emoji or self.cut_outs
        for _ in range(random.choice((0, 0, 0, 0, 1, 1, 2)) if can_paste else 0):
            image, masks = self._pasted(image, masks)
        kept = [mask for mask in masks if np.count_nonzero(mask > 127) >= LEAST_AREA]
        if not kept:
            return None
        random.shuffle(kept)
        kept = (kept * self.slots)[: self.slots]
        return Scene(
            degraded(image),
            np.stack([cv2.resize(m, (SIZE // 2, SIZE // 2), interpolation=cv2.INTER_AREA) for m in kept]),
            np.stack([tight_box(m) for m in kept]),
            np.stack([positive_clicks(m) for m in kept]),
            np.stack([negative_clicks(m) for m in kept]),
        )

    def _view(self, photo: Photo, shape: tuple[int, ...]) -> tuple[NDArray[np.float32], Segment | None]:
        """Return an affine map from the photo to the canvas: close to one segment, or of the whole photo."""
        height, width = shape[:2]
        flip = random.random() < 0.5
        turn = math.radians(random.uniform(-15, 15)) if random.random() < 0.3 else 0.0
        if random.random() < 0.45:
            focus = random.choices(photo.segments, [4 if s.is_thing else 1 for s in photo.segments])[0]
            x, y, w, h = focus.box
            window = max(w, h, 40) * log_uniform(1.15, 5)
            scale = min(max(SIZE / window, 0.55 * SIZE / max(height, width)), 7)
            wander = 0.25 * max(0.0, window - max(w, h))
            source = (x + w / 2 + random.uniform(-wander, wander), y + h / 2 + random.uniform(-wander, wander))
            target: tuple[float, ...] = (SIZE / 2, SIZE / 2)
        else:
            focus = None
            scale = SIZE / max(height, width) * log_uniform(0.6, 1.6)
            source = (width / 2, height / 2)
            slack = [SIZE - width * scale, SIZE - height * scale]
            target = tuple(SIZE / 2 + random.uniform(-0.5, 0.5) * abs(s) for s in slack)
        aspect = log_uniform(0.85, 1.18)
        return affine(scale * math.sqrt(aspect), scale / math.sqrt(aspect), turn, flip, source, target), focus

    def _chosen(self, photo: Photo, view: NDArray[np.float32], focus: Segment | None) -> list[Segment]:
        seen = [s for s in photo.segments if visible(s, view)]
        chosen = [s for s in seen if s is focus]
        rest = [s for s in seen if s is not focus]
        while rest and len(chosen) < self.slots:
            one = random.choices(rest, [4 if s.is_thing else 1 for s in rest])[0]
            rest.remove(one)
            chosen.append(one)
        return chosen

    def _pasted(self, image: Image, masks: list[Image]) -> tuple[Image, list[Image]]:
        """Paste one more thing over the image: a cut-out of another photo, or an emoji."""
        kind = random.random()
        if self.emoji and (kind < 0.3 or not self.cut_outs):
            picture = random.choice(self.emoji)
            pixels, alpha = np.ascontiguousarray(picture[..., :3]), np.ascontiguousarray(picture[..., 3])
            box = (0.0, 0.0, float(picture.shape[1]), float(picture.shape[0]))
        else:
            [(photo, segment)] = random.choices(self.cut_outs, self.cut_out_shares)
            pixels, alpha, box = photo.pixels(), segment.mask() * np.uint8(255), segment.box
        x, y, w, h = box
        scale = min(log_uniform(28, 330) / max(w, h), 4)
        aspect = log_uniform(0.8, 1.25)
        turn = math.radians(random.uniform(-25, 25)) if random.random() < 0.4 else 0.0
        where = (random.uniform(20, SIZE - 20), random.uniform(20, SIZE - 20))
        source = (x + w / 2, y + h / 2)
        place = affine(scale * math.sqrt(aspect), scale / math.sqrt(aspect), turn, random.random() < 0.5, source, where)
        alpha = cv2.warpAffine(alpha, place, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
        if np.count_nonzero(alpha > 127) < LEAST_AREA:
            return image, masks
        pixels = recoloured(cv2.warpAffine(pixels, place, (SIZE, SIZE), flags=cv2.INTER_LINEAR), 0.6)
        soft = cv2.GaussianBlur(alpha, (0, 0), random.uniform(0.5, 1.5)) if random.random() < 0.7 else alpha
        blend = cv2.cvtColor(soft, cv2.COLOR_GRAY2RGB)
        image = cv2.add(cv2.multiply(pixels, blend, scale=1 / 255), cv2.multiply(image, 255 - blend, scale=1 / 255))
        masks = [cv2.multiply(mask, 255 - alpha, scale=1 / 255) for mask in masks]
        if len(masks) < self.slots:
            return image, [*masks, alpha]
        masks[random.randrange(len(masks))] = alpha
        return image, masks


def is_cut_out(photo: Photo, segment: Segment) -> bool:
    """True for things of a good size with good outlines, and for pieces of clothing."""
    has_good_outlines = photo.source in CUT_OUTS or photo.source not in SHARES
    return has_good_outlines and segment.box[2] * segment.box[3] > 900 and (segment.is_thing or photo.source == "ccp")


def log_uniform(low: float, high: float) -> float:
    return math.exp(random.uniform(math.log(low), math.log(high)))


def affine(
    scale_x: float, scale_y: float, turn: float, flip: bool, source: tuple[float, float], target: tuple[float, ...]
) -> NDArray[np.float32]:
    """Return the (2, 3) map that moves `source` to `target`."""
    cos, sin = math.cos(turn), math.sin(turn)
    matrix = np.array([[cos * scale_x, -sin * scale_y], [sin * scale_x, cos * scale_y]])
    if flip:
        matrix = matrix @ np.diag([-1.0, 1.0])
    shift = np.array(target) - matrix @ np.array(source)
    return np.concatenate([matrix, shift[:, None]], 1).astype(np.float32)


def warped(mask: Image, view: NDArray[np.float32]) -> Image:
    return cv2.warpAffine(mask * np.uint8(255), view, (SIZE, SIZE), flags=cv2.INTER_LINEAR)


def visible(segment: Segment, view: NDArray[np.float32]) -> bool:
    """True if a good part of the segment's box is on the canvas."""
    x, y, w, h = segment.box
    corners = view @ np.array([[x, x + w, x, x + w], [y, y, y + h, y + h], [1, 1, 1, 1]], np.float32)
    (x0, y0), (x1, y1) = corners.min(1), corners.max(1)
    seen = max(0.0, min(x1, SIZE) - max(x0, 0)) * max(0.0, min(y1, SIZE) - max(y0, 0))
    return bool(seen > 150 and seen > 0.25 * (x1 - x0) * (y1 - y0))


def recoloured(image: Image, strength: float = 1.0) -> Image:
    if random.random() < 0.8:
        contrast = 1 + random.uniform(-0.35, 0.35) * strength
        curve = np.clip((np.arange(256) - 127) * contrast + 127 + random.uniform(-40, 40) * strength, 0, 255)
        if random.random() < 0.4:
            curve = 255 * (curve / 255) ** log_uniform(0.65, 1.5)
        image = cv2.LUT(image, curve.astype(np.uint8))
    if random.random() < 0.6:
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        colour = random.uniform(0.3, 1.5) if random.random() > 0.06 else 0.0
        image = cv2.addWeighted(image, colour, grey, 1 - colour, 0)
    if random.random() < 0.4:
        gains = np.array([random.uniform(0.85, 1.15) for _ in range(3)])
        image = cv2.LUT(image, np.clip(np.arange(256)[:, None] * gains, 0, 255).astype(np.uint8).reshape(256, 1, 3))
    return image


def degraded(image: Image) -> Image:
    """Sometimes add a little blur, JPEG artefacts or noise."""
    kind = random.random()
    if kind < 0.12:
        return cv2.GaussianBlur(image, (0, 0), random.uniform(0.5, 2.2))
    if kind < 0.2:
        is_written, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, random.randint(25, 80)])
        assert is_written, f"OpenCV cannot write a JPEG of {image.shape}"
        decoded = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
        assert decoded is not None
        return np.ascontiguousarray(decoded[..., ::-1])
    if kind < 0.28:
        noise = np.zeros(image.shape, np.int16)
        cv2.randn(noise, 0, random.uniform(3, 14))
        return np.clip(image + noise, 0, 255).astype(np.uint8)
    return image


def tight_box(mask: Image) -> NDArray[np.float32]:
    """Return x0, y0, x1, y1 of the mask."""
    inside = mask > 127
    columns, rows = np.flatnonzero(inside.any(0)), np.flatnonzero(inside.any(1))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def positive_clicks(mask: Image) -> NDArray[np.float32]:
    """Return random clicks on the thing, not at its edge.

    In half of the cases the first click is as far from the edge as possible, or nearly.
    """
    x0, y0, x1, y1 = tight_box(mask).astype(int)
    inside = np.pad((mask[y0:y1, x0:x1] > 127).astype(np.uint8), 1)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    anywhere = min(2.0, depth.max())
    first = depth.max() * random.choice((1.0, 1.0, 0.8, 0.6)) if random.random() < 0.5 else anywhere
    return np.stack([picked(depth >= least, x0 - 1, y0 - 1) for least in (first, *[anywhere] * (CLICKS - 1))])


def negative_clicks(mask: Image) -> NDArray[np.float32]:
    """Return random clicks in the box or a little around it, at least two pixels away from the thing."""
    x0, y0, x1, y1 = tight_box(mask).astype(int)
    margin_x, margin_y = max(4, (x1 - x0) // 8), max(4, (y1 - y0) // 8)
    left, top = max(0, x0 - margin_x), max(0, y0 - margin_y)
    around = mask[top : y1 + margin_y, left : x1 + margin_x]
    free = cv2.dilate(around, np.ones((5, 5), np.uint8)) < 64
    if not free.any():
        return np.full((CLICKS, 2), -1000, np.float32)  # no free pixel next to the thing: a click outside the canvas
    return np.stack([picked(free, left, top) for _ in range(CLICKS)])


def picked(allowed: NDArray[np.bool_], left: int, top: int) -> NDArray[np.float32]:
    flat = np.flatnonzero(allowed)
    y, x = divmod(int(flat[random.randrange(len(flat))]), allowed.shape[1])
    return np.array([left + x + 0.5, top + y + 0.5], np.float32)
