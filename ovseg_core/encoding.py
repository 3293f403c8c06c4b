"""From images to embeddings.

An embedding depends only on code in this module, in the decoders of image files and in the network.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ovseg_core import canvas
from ovseg_core.canvas import Frame
from ovseg_core.embedding import Embedding
from ovseg_core.family import Preset
from ovseg_core.network import Network


def encode(model: str, network: Network, preset: Preset, images_rgb: Sequence[np.ndarray]) -> list[Embedding]:
    """Return the embeddings of images, each (H, W, 3) uint8 of any size, in one run of the network."""
    if not images_rgb:
        return []
    canvases = [canvas_of(pixels, network.canvas_size, preset) for pixels in images_rgb]
    encoded = network.encode(np.concatenate(canvases))
    frames = [_frame(pixels, network.canvas_size, preset) for pixels in images_rgb]
    return [Embedding(model, features, frame) for features, frame in zip(encoded, frames, strict=True)]


def canvas_of(image_rgb: np.ndarray, canvas_size: int, preset: Preset) -> np.ndarray:
    """Return the network's input for an image (H, W, 3) uint8: (1, 3, S, S) float32.

    S is `canvas_size`, or the preset's `input_size` if it has one.
    """
    frame = _frame(image_rgb, preset.input_size or canvas_size, preset)
    return canvas.draw(image_rgb, frame, preset.mean, preset.std, preset.resize)


def _frame(image_rgb: np.ndarray, canvas_size: int, preset: Preset) -> Frame:
    return Frame((image_rgb.shape[0], image_rgb.shape[1]), canvas_size, is_stretched=preset.resize == "stretch")
