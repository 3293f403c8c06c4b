"""Sine embeddings of numbers (Vaswani et al., 2017): sines and cosines of growing wavelengths."""

from __future__ import annotations

import math

import numpy as np

TEMPERATURE = 10000.0


def rates(channels: int, temperature: float = TEMPERATURE) -> np.ndarray:
    """Return the angle (channels / 2,) per unit for each pair of a sine and a cosine, float32."""
    exponents = np.arange(0, channels, 2).astype(np.float32) / np.float32(channels)
    angles: np.ndarray = (2 * math.pi / np.float32(temperature) ** exponents).astype(np.float32)
    return angles


def embedding(numbers: np.ndarray, channels: int, temperature: float = TEMPERATURE) -> np.ndarray:
    """Return the embedding (N, channels) float32 of N numbers; sines and cosines alternate."""
    angles = numbers.astype(np.float32)[:, None] * rates(channels, temperature)
    return np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(len(numbers), channels)
