"""Commands of `ovseg` that end at once, for the lines that they write."""

from __future__ import annotations

import os
import subprocess
import sys

# Runs one command after the other, as `python -m ovseg` does, and reports the exit code of each on stderr. With an
# interpreter for each command, these tests would take three times as long.
RUN = """
import sys
from ovseg.commands import main
for command in sys.argv[1:]:
    try:
        main([command])
    except SystemExit as end:
        print(command, "exited with", end.code, file=sys.stderr, flush=True)
"""


def stderr_of(*commands: str, **environment: str) -> list[str]:
    """Return the lines that the commands wrote to stderr, each command's followed by its exit code."""
    ran = subprocess.run(
        [sys.executable, "-c", RUN, *commands],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not ran.stdout
    return ran.stderr.splitlines()


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "ovseg", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
