"""The precision, as transformers names it: `dtype`, `torch_dtype`, and 8 bits in `model_kwargs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ovseg_core.networks import PRECISIONS

DEFAULT = "float32"  # the precision of the published weights, which is transformers' default
SHORT = {"bf16": "bfloat16", "fp16": "float16", "half": "float16", "fp32": "float32", "float": "float32"}
QUANTIZATION = ("load_in_8bit", "quantization_config")
DTYPES = ("dtype", "torch_dtype")


def of(dtype: Any, torch_dtype: Any, model_kwargs: Mapping[str, Any] | None) -> str:
    """Return one of `networks.PRECISIONS`, except "auto".

    Args:
        dtype: such as "bfloat16", `torch.bfloat16` or `numpy.float16`. None and "auto" are float32, because the
            published weights are in float32.
        torch_dtype: the older name of `dtype`.
        model_kwargs: {"load_in_8bit": True}; or {"quantization_config": config} with this attribute or key, as that of
            bitsandbytes; or {"dtype": ...}, {"torch_dtype": ...}.

    Raises ValueError if there is no such precision, two are named, or `model_kwargs` contains something else.
    """
    kwargs = dict(model_kwargs or {})
    if unknown := sorted(kwargs.keys() - {*QUANTIZATION, *DTYPES}):
        raise ValueError(f"unknown model_kwargs {', '.join(unknown)}; known: {', '.join((*QUANTIZATION, *DTYPES))}")
    config = kwargs.get("quantization_config")
    if config is not None and not (_has(config, "load_in_8bit")):
        raise ValueError("quantization_config must have load_in_8bit: int8 is the only quantization here")
    if kwargs.get("load_in_8bit") or config is not None:
        return "int8"  # the other layers stay in the precision of the int8 model, whatever dtype is
    given = [value for value in (dtype, torch_dtype, *map(kwargs.get, DTYPES)) if value is not None]
    named = {_named(value) for value in given}
    if len(named) > 1:
        raise ValueError(f"dtype and torch_dtype are the same option, but they are {' and '.join(sorted(named))}")
    return named.pop() if named else DEFAULT


def _has(config: Any, name: str) -> bool:
    return bool(config.get(name) if isinstance(config, Mapping) else getattr(config, name, False))


def _named(dtype: Any) -> str:
    """Return the precision of a name, or of a type of torch, NumPy or Paddle, by its own name."""
    text = getattr(dtype, "__name__", None) or str(dtype)
    name = text.rpartition(".")[2].lower()
    name = SHORT.get(name, name)
    if name == "auto":
        return DEFAULT
    if name not in PRECISIONS:
        known = ", ".join(precision for precision in PRECISIONS if precision != "auto")
        raise ValueError(f"there is no dtype {text!r}; available: {known}")
    return name
