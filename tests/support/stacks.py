"""Whole stacks that tests start with settings of their own, and their processes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import pictures
from tests.support.service import Service

PHOTO = base64.b64encode(pictures.photo()).decode()
PROMPTS = [{"box": [140, 10, 305, 180]}]


@contextmanager
def running(data_dir: Path, **environment: str) -> Iterator[Service]:
    stack = Service(data_dir, environment)
    try:
        yield stack.wait_until_ready()
    finally:
        if stack.process.poll() is None:
            stack.stop()


def processes_of(service: Service) -> dict[str, int]:
    """Return the process ids by the command's name, of everything that the stack started."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_text().split("\0")
            name = (folder / "comm").read_text().strip()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == service.process.pid:
            found[words[4] if words[1:4] == ["-P", "-m", "ovseg"] else name] = int(folder.name)
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
