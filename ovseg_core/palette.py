"""Colours that people can distinguish, on any photo."""

from __future__ import annotations

import colorsys

RGB = tuple[int, int, int]

GOLDEN_RATIO = 0.618033988749895  # with steps of this share of the colour wheel, no hue comes near an earlier one
FIRST_HUE = 0.58  # blue: the hue that is rarest on skin, wood, grass and hazy sky


def colour(index: int) -> RGB:
    """Return the colour of the object with this index. It is the same in every picture."""
    hue = (FIRST_HUE + index * GOLDEN_RATIO) % 1
    lightness = (0.52, 0.62, 0.44)[index // 8 % 3]  # after eight hues, the next eight differ in lightness too
    r, g, b = colorsys.hls_to_rgb(hue, lightness, 0.95)
    return round(r * 255), round(g * 255), round(b * 255)
