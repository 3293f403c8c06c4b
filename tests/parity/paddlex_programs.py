"""PaddleX's command and server, and our command, with a pipeline's YAML."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from ovseg.stack import free_port

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def printed(program: str, config: Path, image: str, options: Mapping[str, object]) -> dict[str, Any]:
    """Run a pipeline with `python -m program`, and return the dictionary in the line that it prints."""
    command = [sys.executable, "-m", program, "--pipeline", str(config), "--input", image, "--device", "cpu"]
    command += [text for name, value in options.items() for text in (f"--{name}", str(value))]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    [line] = [line for line in ANSI.sub("", ran.stdout + ran.stderr).splitlines() if "{'res'" in line]
    found: dict[str, Any] = ast.literal_eval(line)
    return found


@contextmanager
def serving(config: Path) -> Iterator[str]:
    """Run PaddleX's server, and yield its address."""
    port = free_port()
    command = ["--serve", "--pipeline", str(config), "--port", str(port), "--host", "127.0.0.1", "--device", "cpu"]
    process = subprocess.Popen([sys.executable, "-m", "paddlex", *command])
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 300
        while True:
            assert process.poll() is None
            assert time.monotonic() < deadline
            try:
                if requests.get(f"{url}/health", timeout=5).ok:
                    break
            except requests.RequestException:
                time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait(60)
