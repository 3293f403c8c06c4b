"""Figures of known masks and known values."""

from __future__ import annotations

import numpy as np
import pytest

from training import calibration
from training.figures import boundary_iou, mean_and_error


def disc(radius: float) -> np.ndarray:
    y, x = np.mgrid[:300, :400]
    inside: np.ndarray = (x - 200) ** 2 + (y - 150) ** 2 < radius**2
    return inside


def test_the_boundary_iou_counts_only_what_is_near_the_outlines() -> None:
    assert boundary_iou(disc(100), disc(100)) == 1
    holed = disc(100) & ~disc(40)
    assert boundary_iou(disc(100), holed) == pytest.approx(100 / (100 + 40), abs=0.07)  # two rings of the same width
    assert boundary_iou(disc(100), disc(95)) < 0.5  # the band is 10 pixels wide; the IoU of the discs is 0.9
    everywhere = np.ones((300, 400), bool)
    assert boundary_iou(everywhere, everywhere) == 1


def test_the_standard_error_is_that_of_photos_and_not_of_their_things() -> None:
    drawn = np.random.default_rng(3).normal(0, 1, 100)
    photos = [str(i) for i in range(100)]
    mean, error = mean_and_error(drawn, photos)
    assert mean == pytest.approx(drawn.mean())
    assert error == pytest.approx(drawn.std() / 10, rel=0.1)
    mean_of_four, error_of_four = mean_and_error(np.repeat(drawn, 4), [name for name in photos for _ in range(4)])
    assert mean_of_four == pytest.approx(mean)
    assert error_of_four == pytest.approx(error)
    assert mean_and_error(np.ones(5), ["a", "a", "b", "c", "c"]) == (1, 0)


def test_a_perfect_prediction_lies_on_the_diagonal_of_the_plot() -> None:
    picture = calibration.plot({"box": ([0.25] * 9, [0.25] * 9), "click": ([0.5] * 9, [1.0] * 9)})
    assert picture.count("<circle") == 2
    left, bottom = calibration.MARGIN, 8 + calibration.SIDE
    assert f'cx="{left + 75:.1f}" cy="{bottom - 75:.1f}"' in picture
    assert f'cx="{left + 150:.1f}" cy="{bottom - 300:.1f}"' in picture
