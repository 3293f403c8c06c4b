"""The models and detectors by name, and the paths of their weights.

Importing this loads no weights and no Paddle, so the gateway may.
"""

from ovseg_core.models.published import Published
from ovseg_core.models.registry import (
    all_detectors,
    all_models,
    find,
    find_any,
    find_detector,
    is_detector,
    resolved,
)
from ovseg_core.models.spec import ModelSpec

__all__ = [
    "ModelSpec",
    "Published",
    "all_detectors",
    "all_models",
    "find",
    "find_any",
    "find_detector",
    "is_detector",
    "resolved",
]
