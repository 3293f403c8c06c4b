"""The devices and precisions of `pipeline`, by the names that transformers has for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ovseg_core.hugging_face import placement, precision


class OfTorch:
    """Prints itself as a device or type of torch does."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


@pytest.mark.parametrize(
    ("device", "device_map", "expected"),
    [
        (-1, None, ("cpu",)),
        ("cpu", None, ("cpu",)),
        (1, None, ("gpu:1",)),
        ("cuda", None, ("gpu:0",)),
        ("cuda:1", None, ("gpu:1",)),
        (OfTorch("cuda:2"), None, ("gpu:2",)),
        ("npu:0", None, ("npu:0",)),
        (None, "auto", ("gpu:0", "gpu:1")),
        (None, "cuda:1", ("gpu:1",)),
        (None, {"": 0}, ("gpu:0",)),
        (None, {"encoder": 0, "decoder": "cpu", "more": 0}, ("gpu:0", "cpu")),
        (None, ["cuda:0", "cpu"], ("gpu:0", "cpu")),
    ],
)
def test_devices_have_the_names_of_transformers(
    monkeypatch: pytest.MonkeyPatch, device: Any, device_map: Any, expected: tuple[str, ...]
) -> None:
    monkeypatch.setattr("ovseg_core.devices.gpus", lambda: 2)
    assert placement.of(device, device_map) == expected


def test_the_default_device_is_the_first_gpu_or_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for count, first, every in ((0, "cpu", ("cpu",)), (2, "gpu:0", ("gpu:0", "gpu:1"))):
        monkeypatch.setattr("ovseg_core.devices.gpus", lambda count=count: count)
        assert placement.of(None, None) == (first,)
        assert placement.of(None, "auto") == every


def test_a_wrong_device_is_refused() -> None:
    with pytest.raises(ValueError, match="not both"):
        placement.of(0, "auto")
    with pytest.raises(ValueError, match="not 'mps'"):
        placement.of("mps", None)


@pytest.mark.parametrize(
    ("dtype", "torch_dtype", "model_kwargs", "expected"),
    [
        (None, None, None, "float32"),
        ("auto", None, None, "float32"),
        ("bfloat16", None, None, "bfloat16"),
        (None, OfTorch("torch.bfloat16"), None, "bfloat16"),
        (None, "fp16", None, "float16"),
        (np.float16, None, None, "float16"),
        (None, None, {"load_in_8bit": True}, "int8"),
        (None, None, {"quantization_config": {"load_in_8bit": True}}, "int8"),
        (OfTorch("torch.float32"), None, {"load_in_8bit": False}, "float32"),
        (None, None, {"torch_dtype": "bfloat16"}, "bfloat16"),
    ],
)
def test_precisions_have_the_names_of_transformers(
    dtype: Any, torch_dtype: Any, model_kwargs: Any, expected: str
) -> None:
    assert precision.of(dtype, torch_dtype, model_kwargs) == expected


@pytest.mark.parametrize(
    ("dtype", "torch_dtype", "model_kwargs", "message"),
    [
        ("float8", None, None, "there is no dtype 'float8'; available: float32"),
        ("float16", "float32", None, "they are float16 and float32"),
        (None, None, {"load_in_4bit": True}, "unknown model_kwargs load_in_4bit"),
        (None, None, {"quantization_config": {"load_in_4bit": True}}, "must have load_in_8bit"),
    ],
)
def test_a_wrong_precision_is_refused(dtype: Any, torch_dtype: Any, model_kwargs: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        precision.of(dtype, torch_dtype, model_kwargs)
