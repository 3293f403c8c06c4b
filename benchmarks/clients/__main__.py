"""What a caller's code does with four Python clients: `make bench-clients`.

Runs the programs in callers/, which segment one image and a data set with fal's, Replicate's and Roboflow's client and
with ours. Behind all of them is the same service, with a network that only sleeps: fronts translate the wire formats of
the other clients. Counts lines, requests and jobs, makes faults, and kills a program in the middle of its data set.
Writes a JSON file, and prints the tables of docs/compared-clients.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from benchmarks import facts
from benchmarks.clients.front import Front, serving
from benchmarks.clients.tables import tables
from benchmarks.clients.wires import WIRES
from benchmarks.service import photo
from benchmarks.throughput import workers
from configs.settings import Settings
from ovseg import demo
from ovseg.stack import Plan, free_port, running

HERE = Path(__file__).parent
PACKAGES = {"fal": "fal-client", "replicate": "replicate", "roboflow": "inference-sdk", "ovseg": "ovseg-client"}
SIZE = (640, 480)
ENCODE_SECONDS = 0.3
BOX = [140, 10, 305, 180]
FAULTS: dict[str, Sequence[int | str]] = {
    "a submission is answered with 429, twice": [429, 429],
    "a submission is answered with 503, twice": [503, 503],
    "the answer to a submission is lost": ["cut"],
}
FAULT_OF_READING = "a connection is lost while the result is awaited"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, default=Path(".venv-clients/bin/python"), help="has the clients")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--clients", nargs="+", default=list(WIRES), choices=list(WIRES))
    parser.add_argument("--to", type=Path, default=Path("benchmarks/results/clients.json"))
    given = parser.parse_args()
    rows = []
    with TemporaryDirectory(prefix="ovseg-bench-") as folder:
        plan = Plan(Path(folder, "stack"), "127.0.0.1", free_port(), "cpu", Settings())
        with running(plan, lambda label, line: None) as stack:
            stack.children["worker"].ask_to_end()
            stack.children["worker"].end_by(time.monotonic() + 30)
            with workers(stack, 2, ENCODE_SECONDS):
                for name in given.clients:
                    print(f"{name} ...", flush=True)
                    bench = Bench(name, plan.url, given.python.absolute(), Path(folder, name))
                    rows.append(bench.measure(given.images))
    given.to.parent.mkdir(parents=True, exist_ok=True)
    day = datetime.now(tz=UTC).date().isoformat()
    result = {"machine": facts.machine(), "day": day, "images": given.images, "rows": rows}
    given.to.write_text(json.dumps(result, indent=1) + "\n")
    print("\n".join(tables(result)))


@dataclass(frozen=True)
class Bench:
    """Runs the callers of one client, each in a new folder below `folder`."""

    client: str
    service: str
    python: Path
    folder: Path

    def measure(self, images: int) -> dict[str, Any]:
        """Return everything that is measured of this client."""
        row: dict[str, Any] = {"client": PACKAGES[self.client], "version": self._version()}
        row["one"] = {"lines": self._lines("one"), **self._run("one")}
        row["faults"] = {name: self._run("one", faults) for name, faults in FAULTS.items()}
        if self.client != "roboflow":  # its result is in the answer to the submission
            row["faults"][FAULT_OF_READING] = self._run("one", read_faults=["cut"])
        row["many"] = {"lines": self._lines("many"), **self._run("many", images=images)}
        row["killed"] = self._killed(images)
        return row

    def _run(
        self, task: str, faults: Sequence[int | str] = (), read_faults: Sequence[int | str] = (), images: int = 1
    ) -> dict[str, Any]:
        """Run a caller and return what it did."""
        with self._prepared(images) as (front, folder):
            front.faults, front.read_faults = list(faults), list(read_faults)
            front.wire.holds = not read_faults
            before = self._jobs()
            process = self._start(task, front, folder)
            _, errors = process.communicate(timeout=600)
            times = front.times()
            return {
                "succeeded": process.returncode == 0,
                "error": "" if process.returncode == 0 else errors.strip().splitlines()[-1][:200],
                "requests": len(front.seen),
                "submissions": len(times),
                "pauses_s": [round(b - a, 1) for a, b in pairwise(times)] if faults else None,
                "jobs": self._jobs() - before,
            }

    def _killed(self, images: int) -> dict[str, Any]:
        """Kill a caller in the middle of its data set and run it again."""
        with self._prepared(images) as (front, folder):
            before = self._jobs()
            process = self._start("many", front, folder)
            while len(front.times()) < images // 2:
                assert process.poll() is None, process.communicate()
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            process = self._start("many", front, folder)
            _, errors = process.communicate(timeout=600)
            assert process.returncode == 0, errors
            found = [json.loads(line)["image"] for line in (folder / "results.ndjson").open()]
            return {
                "images": len(set(found)),
                "lines": len(found),
                "jobs": self._jobs() - before,
                "requests": len(front.seen),
            }

    @contextmanager
    def _prepared(self, images: int) -> Iterator[tuple[Front, Path]]:
        """Yield a front, and a new folder with photos."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "images").mkdir(parents=True)
        shutil.copy(demo.PHOTO, self.folder / "photo.jpg")
        boxes = {}
        for n in range(images):
            path = f"images/{n:03}.jpg"
            (self.folder / path).write_bytes(photo(time.time_ns() + n, SIZE))
            boxes[path] = [BOX[0] + n % 50, *BOX[1:]]
        (self.folder / "boxes.json").write_text(json.dumps(boxes))
        with serving(WIRES[self.client](self.service), self.folder) as front:
            yield front, self.folder

    def _start(self, task: str, front: Front, folder: Path) -> subprocess.Popen[str]:
        caller = HERE / "callers" / self.client / f"{task}.py"
        command = [str(self.python), str(HERE / "start.py"), str(caller), front.url]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
            "OVSEG_URL": front.url,
            "REPLICATE_BASE_URL": front.url,
            "REPLICATE_API_TOKEN": "token",
            "FAL_QUEUE_RUN_HOST": front.url.partition("//")[2],
            "FAL_KEY": "key",
            **({"SSL_CERT_FILE": str(front.certificate)} if front.certificate else {}),
        }
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def _jobs(self) -> int:
        """Return how many jobs have ended, when none is queued or running."""
        while True:
            samples = dict(
                line.rsplit(" ", 1)
                for line in requests.get(f"{self.service}/metrics", timeout=30).text.splitlines()
                if not line.startswith("#")
            )
            if not sum(float(value) for name, value in samples.items() if name.startswith("ovseg_jobs{")):
                ended = (float(value) for name, value in samples.items() if name.startswith("ovseg_jobs_ended_total"))
                return int(sum(ended))
            time.sleep(0.2)

    def _lines(self, task: str) -> int:
        lines = (HERE / "callers" / self.client / f"{task}.py").read_text().splitlines()
        return sum(bool(line.strip()) for line in lines)

    def _version(self) -> str:
        code = f"from importlib.metadata import version; print(version('{PACKAGES[self.client]}'))"
        return subprocess.run([self.python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
