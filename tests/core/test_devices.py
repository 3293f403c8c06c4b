"""Devices on a machine that has a CPU and nothing else, as tests run on."""

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
def test_a_name_that_is_no_device_s_is_refused(device: str) -> None:
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
def test_a_device_that_is_not_there_is_told_with_what_it_needs(device: str, needs: str) -> None:
    with pytest.raises(ValueError, match=f"there is no {device} .* needs {needs}"):
        Segmenter.open("SAM-Lite", device, "paddle")


def test_the_default_device_is_known_without_importing_paddle() -> None:
    script = "import sys; from ovseg_core import devices; print(devices.default(), 'paddle' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "cpu False\n"


@pytest.mark.parametrize("thread", ["run()", "thread = threading.Thread(target=run); thread.start(); thread.join()"])
def test_paddle_has_every_core_of_the_process_and_leaves_no_trace_of_it(thread: str) -> None:
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


def test_engines_are_measured_and_the_one_taken_is_marked() -> None:
    said = CliRunner().invoke(main, ["engines", "SAM-Lite", "--repeats", "1"]).output
    default = networks.choose_precision(LITE.network, LITE.weights, "cpu", "openvino")
    assert re.findall(r"SAM-Lite +openvino\* +(\w+) +[\d,]+ \([\d,]+\)", said) == [default]
    assert re.search(r"SAM-Lite +openvino\*? +float32 ", said)
    assert re.search(r"SAM-Lite +paddle +float32 ", said)


def test_half_precision_that_is_not_there_is_refused_with_what_is() -> None:
    with pytest.raises(ValueError, match=r"sam_lite on cpu \(openvino\) runs in float32.*, not in float16"):
        Segmenter.open("SAM-Lite", precision="float16")
    with pytest.raises(ValueError, match=re.escape("sam_b on cpu (openvino) runs in float32")):
        networks.load("sam_b", Path("unread"), "cpu", "openvino", "float16", 1024)
    with pytest.raises(ValueError, match=re.escape("sam_b on cpu (paddle) runs in float32, not in bfloat16")):
        networks.load("sam_b", Path("unread"), "cpu", "paddle", "bfloat16", 1024)
