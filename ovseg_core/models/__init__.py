"""The models by name, and the paths of their weights.

Importing this loads no weights and no Paddle, so the gateway may.
"""

from ovseg_core.models.registry import all_models, find, resolved
from ovseg_core.models.spec import ModelSpec

__all__ = ["ModelSpec", "all_models", "find", "resolved"]
