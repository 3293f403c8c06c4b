"""Rename the arrays of a checkpoint by rules, because publishers name the same parameters differently."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

Rule = tuple[str, str]  # a pattern and its replacement


def renamed(arrays: Mapping[str, np.ndarray], rules: Sequence[Rule]) -> dict[str, np.ndarray]:
    """Return the arrays with new names.

    The first rule whose pattern matches a whole name rewrites it. A name that becomes empty is dropped, and a name that
    no rule matches stays.
    """
    with_new_names = {}
    for name, array in arrays.items():
        for pattern, replacement in rules:
            if match := re.fullmatch(pattern, name):
                name = match.expand(replacement)
                break
        if name:
            with_new_names[name] = array
    return with_new_names
