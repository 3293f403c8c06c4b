"""Devices on a machine that has a CPU and nothing else, as tests run on."""

from __future__ import annotations

import pytest

from ovseg_core import devices
from ovseg_core.segmenter import Segmenter

pytestmark = pytest.mark.skipif(devices.default() != "cpu", reason="for machines without a GPU")


@pytest.mark.parametrize("device", ["gpu:x", "tpu:0", "cpu:1", "", "gpu0"])
def test_a_name_that_is_no_device_s_is_refused(device: str) -> None:
    with pytest.raises(ValueError, match="device is cpu, or KIND:N with a KIND of gpu, dcu, xpu, npu, mlu, gcu, not"):
        devices.use(device)


@pytest.mark.parametrize(
    ("device", "needs"),
    [
        ("gpu:0", "paddlepaddle-gpu, as the README says"),
        ("dcu:0", "Paddle's build for DCU"),
        ("xpu:1", "its build for XPU"),
        ("npu:0", "Paddle's plug-in for NPU"),
        ("mlu:0", "Paddle's plug-in for MLU"),
    ],
)
def test_a_device_that_is_not_there_is_told_with_what_it_needs(device: str, needs: str) -> None:
    with pytest.raises(ValueError, match=f"there is no {device} .* needs {needs}"):
        Segmenter.open("SAM-Lite", device, "paddle")


def test_half_precision_is_for_gpus_and_says_so() -> None:
    with pytest.raises(ValueError, match="bfloat16 is for SAM's checkpoints on a GPU; sam_lite on cpu runs in float32"):
        Segmenter.open("SAM-Lite", precision="bfloat16")
    with pytest.raises(ValueError, match="available: float32, bfloat16, float16"):
        Segmenter.open("SAM-Lite", precision="int4")
