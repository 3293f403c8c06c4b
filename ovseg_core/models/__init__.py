"""The models by name, and where their weights lie. Reading this loads no weights and no Paddle, so a gateway may."""

from ovseg_core.models.registry import all_models, find, resolved
from ovseg_core.models.spec import ModelSpec

__all__ = ["ModelSpec", "all_models", "find", "resolved"]
