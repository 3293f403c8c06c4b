"""Workers that share a machine run on their own cores only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from configs import cores
from configs.settings import Settings

ROOT = Path(__file__).parents[3]
MINE = min(os.sched_getaffinity(0))

# Limits itself to one core, runs the network, and prints the cores that each of its threads may use.
SCRIPT = """
import sys, pathlib
from worker.process import affinity
affinity.limit_to([int(sys.argv[1])])
import numpy as np
from worker.inference.inference import Inference
Inference("cpu", sys.argv[2], "float32").warm_up("SAM-Lite")
for task in pathlib.Path("/proc/self/task").iterdir():
    status = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
    print(status["Cpus_allowed_list"])
"""


@pytest.mark.parametrize(("text", "found"), [("0", (0,)), ("0-3,8", (0, 1, 2, 3, 8)), (" 5 , 2-2 ", (2, 5))])
def test_cores_are_written_as_for_taskset(text: str, found: tuple[int, ...]) -> None:
    assert cores.parse(text) == found


@pytest.mark.parametrize("text", ["a", "3-1", "1-", "-1", "1,,2", "0x1"])
def test_any_other_text_is_an_error_that_shows_the_format(text: str) -> None:
    with pytest.raises(ValidationError, match="write them as in 0-3,8"):
        Settings.model_validate({"worker_cores": text})


def test_a_missing_core_is_an_error_that_names_it() -> None:
    code = "from worker.process import affinity; affinity.limit_to([4096])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "there is no core 4096 here" in ran.stderr


@pytest.mark.parametrize("engine", ["openvino", "paddle"])
def test_all_threads_of_a_worker_run_on_its_cores_only(engine: str) -> None:
    command = [sys.executable, "-c", SCRIPT, str(MINE), engine]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(ran.stdout.split()) == {str(MINE)}
