"""The file by which a `map` that was killed continues: one line of JSON for each image whose job has ended."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

VERSION = 1


def new_run() -> str:
    """Return the name of a run. The ids of its jobs begin with it."""
    return f"map-{uuid.uuid4().hex[:20]}"


@dataclass(frozen=True)
class Line:
    """Where the last line about an image is in the file, and what must be known without reading it."""

    start: int
    size: int
    attempt: int
    request: str


class ResumeFile:
    """Lines are only added. A process may be killed at any byte: a line that was cut off is removed when the file is
    opened again, and the job that it was about is found by its id.

    The first line has the run's name, of which the ids of the jobs are made. It is on the disk before the first job is
    sent.

    Attributes:
        run: The name of the run.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the file, or make it.

        Raises:
            ValueError: It is another file, or another process uses it.
        """
        self._path = Path(path)
        self._lines: dict[int, Line] = {}
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            self._lock()
            self._end, run = self._read()
            os.ftruncate(self._file, self._end)
            self.run = run or self._begin()
        except BaseException:
            os.close(self._file)
            raise

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def attempts(self, index: int, request: str) -> int:
        """Return how many jobs of an image have ended.

        Raises:
            ValueError: The line is about another request, so the images or the prompts are not those of the run.
        """
        line = self._lines.get(index)
        if line is None:
            return 0
        if line.request != request:
            raise ValueError(
                f"image {index} is not the one of {self._path}, or its prompts or options are others: "
                "a run continues with the same arguments"
            )
        return line.attempt

    def load(self, index: int) -> dict[str, Any]:
        """Return the last line about an image."""
        line = self._lines[index]
        loaded: dict[str, Any] = json.loads(os.pread(self._file, line.size, line.start))
        return loaded

    def record(self, index: int, attempt: int, request: str, image: str, outcome: dict[str, Any]) -> None:
        """Add the line of an image whose job has ended."""
        entry = {"index": index, "attempt": attempt, "request": request, "image": image, **outcome}
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._add(line)
        self._lines[index] = Line(self._end - len(line), len(line), attempt, request)

    def _add(self, line: bytes) -> None:
        written = 0
        while written < len(line):
            written += os.write(self._file, line[written:])
        self._end += len(line)

    def _begin(self) -> str:
        run = new_run()
        self._add(json.dumps({"ovseg_map": VERSION, "run": run}).encode() + b"\n")
        os.fsync(self._file)
        return run

    def _read(self) -> tuple[int, str | None]:
        """Return where the last complete line ends, and the name of the run if there is one."""
        end, run = 0, None
        with open(self._file, "rb", closefd=False) as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    entry = json.loads(line)
                    if number == 1:
                        run = self._run_of(entry)
                    else:
                        self._lines[entry["index"]] = Line(end, len(line), entry["attempt"], entry["request"])
                except (ValueError, KeyError, TypeError):
                    raise ValueError(f"line {number} of {self._path} is not that of a resume file of map") from None
                end += len(line)
        return end, run

    @staticmethod
    def _run_of(header: dict[str, Any]) -> str:
        if header["ovseg_map"] != VERSION:
            raise ValueError(header["ovseg_map"])
        return str(header["run"])

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows: two processes with one file are not noticed there
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another process uses {self._path}") from None
