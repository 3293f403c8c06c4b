"""Runs the programs of examples/ as a reader of docs/examples.md does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
TOOLS = {"curl": ("curl", "jq"), "python": (), "javascript": ("node",), "go": ("go",)}
SECONDS = 120


@dataclass(frozen=True)
class Language:
    """The examples in one language. `command` returns what runs the example of a task, such as `submit`."""

    name: str
    command: Callable[[str], list[str]]
    folder: Path  # where the examples write their files
    environment: dict[str, str]

    def run(self, url: str, task: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run an example against the service at `url` until it ends."""
        return subprocess.run(
            [*self.command(task), *arguments],
            cwd=self.folder,
            env=self.environment | {"OVSEG_URL": url},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    @contextmanager
    def running(self, task: str, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """Run an example that is a server while the block runs."""
        process = subprocess.Popen(
            [*self.command(task), *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def need(name: str) -> None:
    """Skip the test if this machine cannot run the examples in this language."""
    for tool in TOOLS[name]:
        if shutil.which(tool) is None:
            pytest.skip(f"the examples in {name} need {tool}, which this machine lacks")


def language(name: str, folder: Path) -> Language:
    """Return the examples in this language. Skip the test if this machine cannot run them."""
    need(name)
    environment = dict(os.environ)
    if name == "go":
        built = folder / "built"
        build = ["go", "build", "-o", f"{built}/", "./..."]
        subprocess.run(build, cwd=EXAMPLES / "go", env=environment, check=True, timeout=5 * SECONDS)
        return Language(name, lambda task: [str(built / task)], folder, environment)
    program, ending = {
        "curl": ("bash", "sh"),
        "python": (sys.executable, "py"),
        "javascript": ("node", "mjs"),
    }[name]
    return Language(name, lambda task: [program, str(EXAMPLES / name / f"{task}.{ending}")], folder, environment)
