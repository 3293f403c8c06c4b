"""What the commands of a stack report: a port in use, a GPU that is missing, a wrong setting; and the demo."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.support import commands
from tests.support.service import Service


def test_a_port_in_use_is_reported(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = Service(tmp_path, port=taken.getsockname()[1])
        assert refused.process.wait(180) == 1
        refused.stop_reading()
    assert "is in use; choose another with --port" in refused.log()


# Runs the command line, and sends itself a SIGTERM while it writes that Valkey is ready.
INTERRUPTED = """
import io, os, signal, sys
from ovseg.commands import main

class Interrupted(io.TextIOWrapper):
    def write(self, text):
        if "valkey is ready" in text:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().write(text)

sys.stdout = Interrupted(sys.stdout.buffer)
main()
"""


def test_a_signal_that_comes_while_a_line_is_written_stops_the_stack(tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED, "up", "--data-dir", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert "| stopping: running jobs are finished, the others stay in the queue" in ran.stdout
    assert ran.stdout.splitlines()[-1].endswith("| stopped")


def test_a_gpu_worker_without_a_gpu_reports_what_to_install(redis_url: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "ovseg", "worker", "--device", "gpu:0"],
        env={**os.environ, "OVSEG_REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 1
    assert "there is no gpu:0" in ran.stderr
    assert "gpu needs paddlepaddle-gpu, see docs/deployment.md" in ran.stderr


def test_a_wrong_setting_stops_every_command_with_its_name(tmp_path: Path) -> None:
    names = ("up", "gateway", "worker", "reaper")
    lines = commands.stderr_of(*names, OVSEG_MAX_PROMPTS="many", OVSEG_DATA_DIR=str(tmp_path))
    assert lines[1::2] == [f"{name} exited with 1" for name in names]
    assert all("OVSEG_MAX_PROMPTS: Input should be a valid integer" in line for line in lines[::2])
    assert len(lines) == 2 * len(names)


def test_the_demo_writes_its_pictures_and_leaves_nothing_running(tmp_path: Path) -> None:
    output = tmp_path / "output"
    ran = subprocess.run(
        [sys.executable, "-m", "ovseg", "demo", "--output", str(output)], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert {file.name for file in output.iterdir()} == {
        "overlay.jpg",
        "result.json",
        "mask_0.png",
        "mask_1.png",
        "mask_2.png",
    }
    result = json.loads((output / "result.json").read_text())
    assert (result["errorCode"], len(result["result"]["masks"])) == (0, 3)
    assert '"status": "succeeded"' in ran.stdout
