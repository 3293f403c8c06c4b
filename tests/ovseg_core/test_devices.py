"""Devices on a machine with only a CPU, such as those that run the tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ovseg.commands import main
from ovseg_core import devices, models, networks
from ovseg_core.segmenter import Segmenter

LITE = models.find("SAM-Lite")

pytestmark = pytest.mark.skipif(devices.default() != "cpu", reason="for machines without a GPU")


@pytest.mark.parametrize("device", ["gpu:x", "tpu:0", "cpu:1", "", "gpu0"])
def test_an_invalid_device_name_is_refused(device: str) -> None:
    with pytest.raises(ValueError, match="device is cpu, or KIND:N with a KIND of gpu, dcu, xpu, npu, mlu, gcu, not"):
        devices.use(device)


@pytest.mark.parametrize(
    ("device", "needs"),
    [
        ("gpu:0", "paddlepaddle-gpu, see docs/deployment.md"),
        ("dcu:0", "Paddle's build for DCU"),
        ("xpu:1", "its build for XPU"),
        ("npu:0", "Paddle's plug-in for NPU"),
        ("mlu:0", "Paddle's plug-in for MLU"),
    ],
)
def test_the_error_for_a_missing_device_names_the_build_that_it_needs(device: str, needs: str) -> None:
    with pytest.raises(ValueError, match=f"there is no {device} .* needs {needs}"):
        Segmenter.open("SAM-Lite", device, "paddle")


def test_the_default_device_is_known_without_importing_paddle() -> None:
    script = "import sys; from ovseg_core import devices; print(devices.default(), 'paddle' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "cpu False\n"


@pytest.mark.parametrize("thread", ["run()", "thread = threading.Thread(target=run); thread.start(); thread.join()"])
def test_paddle_uses_every_core_and_does_not_leave_its_variable_in_the_environment(thread: str) -> None:
    script = f"""
import os, threading
from ovseg_core.quiet_paddle import paddle
from threadpoolctl import threadpool_info

def run():
    paddle.ones([8, 8]) @ paddle.ones([8, 8])
    print({{pool["num_threads"] for pool in threadpool_info() if pool["prefix"] == "libiomp"}})
    print("OMP_NUM_THREADS" in os.environ)

{thread}
"""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert ran.stdout == f"{{{len(os.sched_getaffinity(0))}}}\nFalse\n"
    assert ran.stderr == ""


def test_the_command_measures_every_engine_and_marks_the_default() -> None:
    output = CliRunner().invoke(main, ["engines", "SAM-Lite", "--repeats", "1"]).output
    default = networks.choose_precision(LITE.network, LITE.weights, "cpu", "openvino")
    assert re.findall(r"SAM-Lite +openvino\* +(\w+) +[\d,]+ \([\d,]+\)", output) == [default]
    assert re.search(r"SAM-Lite +openvino\*? +float32 ", output)
    assert re.search(r"SAM-Lite +paddle +float32 ", output)


def test_an_unsupported_precision_is_refused_with_the_supported_ones() -> None:
    with pytest.raises(ValueError, match=r"sam_lite on cpu \(openvino\) runs in float32.*, not in float16"):
        Segmenter.open("SAM-Lite", precision="float16")
    with pytest.raises(ValueError, match=re.escape("sam_b on cpu (openvino) runs in float32")):
        networks.load("sam_b", Path("unread"), "cpu", "openvino", "float16")
    with pytest.raises(ValueError, match=re.escape("sam_b on cpu (paddle) runs in float32, not in bfloat16")):
        networks.load("sam_b", Path("unread"), "cpu", "paddle", "bfloat16")
