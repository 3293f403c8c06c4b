"""The measurement of everything mode: known masks give known recall and known junk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import everything
from training.everything import Measured

HW = (200, 300)
Mask = NDArray[np.bool_]


def rectangle(x0: int, y0: int, x1: int, y1: int) -> Mask:
    mask = np.zeros(HW, bool)
    mask[y0:y1, x0:x1] = True
    return mask


# Two neighbours that meet at x = 110, and a small thing far from both.
LEFT, RIGHT, SMALL = rectangle(10, 20, 110, 120), rectangle(110, 20, 210, 120), rectangle(250, 150, 270, 170)
THINGS = [LEFT, RIGHT, SMALL]


def found(*masks: Mask) -> Measured:
    sizes = np.array(["large", "large", "small"])
    iou = everything.overlaps(masks, THINGS).iou
    return Measured(sizes, iou, everything.junk(masks, THINGS), cpu_s=2.0)


def cells(*photos: Measured) -> dict[str, str]:
    """Return the table's cells by the names of their columns."""
    columns, _, line = everything.table([everything.row("name", photos)]).splitlines()
    return dict(zip(*([cell.strip() for cell in text.strip("|").split("|")] for text in (columns, line)), strict=True))


def test_recall_counts_the_things_that_a_mask_fits() -> None:
    half = rectangle(10, 20, 110, 82)  # IoU 0.62 with LEFT: three of the ten thresholds from 0.5 to 0.95
    row = cells(found(half, SMALL))
    assert row["R@100"] == "0.667"
    assert row["AR@100"] == f"{(0.3 + 1) / 3:.3f}"
    assert (row["R@100 small"], row["R@100 medium"], row["R@100 large"]) == ("1.000", "", "0.500")
    assert (row["masks"], row["CPU s"]) == ("2", "2.0")


def test_only_the_first_masks_count_for_recall() -> None:
    elsewhere = [rectangle(x, 180, x + 20, 200) for x in range(100)]
    row = cells(found(*elsewhere, *THINGS))
    assert (row["R@100"], row["R@1,000"]) == ("0.000", "1.000")


def test_recall_is_that_of_all_things_of_all_photos() -> None:
    assert cells(found(LEFT), found(), found(*THINGS))["R@100"] == f"{4 / 9:.3f}"


def test_each_kind_of_junk_is_recognized() -> None:
    specks = [rectangle(x, 180, x + 10, 190) for x in (20, 60)]
    masks = {
        "thing": LEFT,
        "duplicate": rectangle(10, 20, 110, 118),
        "thin": rectangle(0, 190, 300, 192),
        "scattered": specks[0] | specks[1],
        "straddling": rectangle(60, 20, 160, 120),
        "both things": LEFT | RIGHT,
        "unlabelled": rectangle(20, 140, 80, 170),
    }
    kinds = everything.junk(list(masks.values()), THINGS)
    found_as = {name: [kind for kind, is_junk in kinds.items() if is_junk[i]] for i, name in enumerate(masks)}
    junk = {"duplicate", "thin", "scattered", "straddling"}
    assert found_as == {name: [name] if name in junk else [] for name in masks}


def test_a_mask_that_fits_a_thing_is_junk_only_if_it_is_a_duplicate() -> None:
    thin = rectangle(0, 190, 300, 192)
    assert everything.junk([thin], [])["thin"].tolist() == [True]
    kinds = everything.junk([thin, thin], [thin])
    assert [kinds["thin"].tolist(), kinds["duplicate"].tolist()] == [[False, False], [False, True]]


def test_a_search_has_every_combination_of_the_values() -> None:
    values: dict[str, Sequence[Any]] = {"points_per_side": [8, 16], "box_nms_thresh": [0.5, 0.6, 0.7]}
    combinations = list(everything.combinations(values))
    assert len(combinations) == 6
    assert {"points_per_side": 16, "box_nms_thresh": 0.5} in combinations
