"""A plot of predicted against true IoU, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

BINS = 10  # of predicted IoU
LEAST = 5  # masks of a bin; a mean of fewer is not drawn
SIDE, MARGIN = 300, 44  # pixels
COLOURS = ("#1f77b4", "#d62728")


def plot(series: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> str:
    """Return the picture of predicted and true IoUs by the name of their prompt: the mean of each bin, and a diagonal.

    A circle's area is the share of the masks in its bin.
    """
    drawn = [_axes()]
    for i, ((name, (predicted, true)), colour) in enumerate(zip(series.items(), COLOURS, strict=False)):
        drawn.append(_text(MARGIN + 10, 24 + 18 * i, name, colour))
        drawn += _circles(np.asarray(predicted), np.asarray(true), colour)
    size = SIDE + MARGIN + 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" font-family="sans-serif" '
        f'font-size="12"><rect width="{size}" height="{size}" fill="white"/>{"".join(drawn)}</svg>\n'
    )


def _circles(predicted: np.ndarray, true: np.ndarray, colour: str) -> list[str]:
    bins = np.clip((predicted * BINS).astype(int), 0, BINS - 1)
    circles = []
    for k in range(BINS):
        inside = bins == k
        if inside.sum() >= LEAST:
            x, y = _place(float(predicted[inside].mean()), float(true[inside].mean()))
            radius = 26 * float(np.sqrt(inside.mean()))
            circles.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour}" fill-opacity="0.5"/>')
    return circles


def _place(predicted: float, true: float) -> tuple[float, float]:
    return MARGIN + SIDE * predicted, 8 + SIDE * (1 - true)


def _axes() -> str:
    left, top = _place(0, 1)
    right, bottom = _place(1, 0)
    lines = (
        f'<path d="M{left} {top}V{bottom}H{right}M{left} {bottom}L{right} {top}" stroke="#888" fill="none"/>',
        _text(left + SIDE / 2 - 36, bottom + 34, "predicted IoU"),
        *(_text(_place(v, 0)[0] - 8, bottom + 16, f"{v:g}") for v in (0, 0.5, 1)),
        *(_text(left - 24, _place(0, v)[1] + 4, f"{v:g}") for v in (0, 0.5, 1)),
        f'<g transform="rotate(-90 12 {top + SIDE / 2})">{_text(12 - 24, top + SIDE / 2, "true IoU")}</g>',
    )
    return "".join(lines)


def _text(x: float, y: float, text: str, colour: str = "#333") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}">{text}</text>'
