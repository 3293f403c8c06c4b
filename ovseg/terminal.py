"""One terminal for many processes: each line begins with the coloured name of the process that wrote it."""

from __future__ import annotations

import sys
import threading

from ovseg import log

COLOURS = {
    "ovseg": 97,
    "valkey": 31,
    "seaweedfs": 36,
    "gateway": 32,
    "worker": 35,
    "webhooks": 34,
    "reaper": 33,
}
WIDTH = max(len(label) for label in COLOURS)
_lock = threading.Lock()


def show(label: str, line: str) -> None:
    name = f"{label:<{WIDTH}}"
    if sys.stdout.isatty():
        name = f"\033[{COLOURS.get(label, 37)}m{name}\033[0m"
    with _lock:
        print(f"{name} | {log.escape(line)}", flush=True)


def plain(text: str) -> None:
    with _lock:
        print(text, flush=True)
