"""The tables of docs/compared-clients.md: `python -m benchmarks.clients.tables`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULT = Path(__file__).parents[1] / "results" / "clients.json"


def tables(result: Mapping[str, Any]) -> tuple[str, str]:
    """Return what was measured as two tables in Markdown: lines and requests; faults."""
    rows, images = result["rows"], result["images"]
    head = ["", *(f"{row['client']} {row['version']}" for row in rows)]
    effort = [
        ["one photo: lines of code", *(row["one"]["lines"] for row in rows)],
        ["one photo: requests", *(row["one"]["requests"] for row in rows)],
        [f"{images} photos: lines of code", *(row["many"]["lines"] for row in rows)],
        [f"{images} photos: requests", *(row["many"]["requests"] for row in rows)],
    ]
    faults = [[name, *(_end(row["faults"].get(name)) for row in rows)] for name in rows[0]["faults"]]
    killed = f"the program is killed after half of {images} photos, and run again"
    faults.append([killed, *(_resumed(row["killed"], images) for row in rows)])
    return _table(head, effort), _table(head, faults)


def _table(head: list[str], rows: list[list[Any]]) -> str:
    return "".join(f"| {' | '.join(map(str, cells))} |\n" for cells in (head, ["---"] * len(head), *rows))


def _end(run: Mapping[str, Any] | None) -> str:
    if run is None:
        return "does not apply"
    jobs = {0: "no job", 1: "1 job"}.get(run["jobs"], f"{run['jobs']} jobs")
    if not run["succeeded"]:
        return f"**error**, {jobs}" + (", its result is lost" if run["jobs"] else "")
    pauses = " and ".join(f"{seconds} s" for seconds in run["pauses_s"] or ())
    return f"result, {jobs}" + (f", repeated after {pauses}" if pauses else "")


def _resumed(run: Mapping[str, Any], images: int) -> str:
    return f"{run['images']} results, {run['jobs'] - images or 'no'} jobs doubled"


if __name__ == "__main__":
    print("\n".join(tables(json.loads(RESULT.read_text()))))
