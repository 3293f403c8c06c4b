"""Part of `make bench`: what a small job costs in CPU time and calls, which other work on the machine hardly changes.

A job is a click on an image that is named by its digest, sent as JSON in one waiting POST and answered with its mask in
RLE. The network's answer is ready (benchmarks/ready_worker.py), so that only the service's own work remains. Measures
for each job the CPU time of each process, the requests to S3, and the calls to Redis and their time, minus what the
processes do while there are no jobs. Then, without a worker, it measures how many jobs one and two processes of a
gateway accept per second, and the cost of each, with that of archiving it. Writes a JSON file for benchmarks/report.py.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import re
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from benchmarks import facts
from benchmarks.cpu_time import cpu_seconds
from benchmarks.service import photo
from configs.settings import Settings
from ovseg.child import Child, Command
from ovseg.embedded import valkey
from ovseg.embedded.seaweedfs import BUCKET, Seaweedfs
from ovseg.stack import free_port
from worker.store import scripts
from worker.store.keyspace import Keyspace

SIZE = (640, 480)
WARM_UP, IDLE_SECONDS, LOGGED_JOBS = 50, 5.0, 50
SETTLED_SECONDS = 2.0  # after the last job: by then its documents are written
GATEWAY_PROCESSES, CLIENTS = (1, 2), 8
JSON = {"Content-Type": "application/json"}
QUESTION = {"prompts": [{"points": [[320, 240]]}], "outputs": ["rle"]}


class Client:
    """A client with one connection, which clicks on one image."""

    def __init__(self, port: int, body: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._body = body

    def click(self) -> None:
        job = self._post("/v1/jobs?wait=30")
        assert job["status"] == "succeeded", job
        assert len(job["result"]["masks"]) == 1, job

    def submit(self) -> None:
        job = self._post("/v1/jobs")
        assert job["status"] == "queued", job

    def _post(self, path: str) -> dict[str, Any]:
        self._connection.request("POST", path, self._body, JSON)
        answer: dict[str, Any] = json.loads(self._connection.getresponse().read())
        return answer


@dataclass(frozen=True)
class Service:
    """Valkey, SeaweedFS, a gateway and a worker, and a client."""

    port: int
    body: str  # of a click on the image that was sent
    metrics_url: str  # of SeaweedFS
    keyspace: Keyspace
    children: Mapping[str, Child]

    @property
    def client(self) -> Client:
        return Client(self.port, self.body)

    def spent(self, work: Callable[[], object]) -> Counter[str]:
        """Return the CPU milliseconds of each process, and the requests to S3 by action, while `work` runs."""
        before = self._spent()
        work()
        after = self._spent()
        return Counter({name: after[name] - before[name] for name in after})

    def end(self, name: str) -> None:
        self.children[name].ask_to_end()
        self.children[name].end_by(time.monotonic() + 30)

    def _spent(self) -> Counter[str]:
        counts = Counter({name: cpu_seconds(child.pid) * 1000 for name, child in self.children.items()})
        metrics = requests.get(self.metrics_url, timeout=10).text
        for labels, count in re.findall(r"^SeaweedFS_s3_request_total\{(.*)\} (\d+)", metrics, re.MULTILINE):
            action = re.search(r'type="(\w+)"', labels)
            assert action is not None
            counts[f"S3 {action[1]}"] += int(count)
        return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--to", type=Path, default=Path("benchmarks/results/cost.json"))
    parser.add_argument("--ephemeral", action="store_true", help="click with ephemeral jobs")
    arguments = parser.parse_args()
    options = {"ephemeral": True} if arguments.ephemeral else {}
    result: dict[str, Any] = {"machine": facts.machine(), "jobs": arguments.jobs, "ephemeral": arguments.ephemeral}
    with _started(options) as service:
        result["per_job"] = _per_job(service, arguments.jobs)
        result["redis"] = _calls(service)
    result["accepts"] = {}
    for processes in GATEWAY_PROCESSES:
        with _started(options, processes) as service:
            service.end("worker")
            result["accepts"][str(processes)] = _accepts(service, arguments.jobs * 4)
    _show(result)
    arguments.to.parent.mkdir(parents=True, exist_ok=True)
    arguments.to.write_text(json.dumps(result, indent=1))


@contextmanager
def _started(options: Mapping[str, Any], processes: int = 1) -> Iterator[Service]:
    """Start the service with this many processes of its gateway. `options` are further fields of each click."""
    with tempfile.TemporaryDirectory(prefix="ovseg-bench-") as folder, ExitStack() as cleanup:
        yield _start(Path(folder), cleanup, options, processes)


def _start(folder: Path, cleanup: ExitStack, options: Mapping[str, Any], processes: int) -> Service:
    """Start the processes of the service and send the image."""
    children: dict[str, Child] = {}

    def start(command: Command) -> None:
        child = children[command.label] = Child(command, lambda label, line: None)
        cleanup.callback(lambda: child.end_by(time.monotonic() + 30))
        cleanup.callback(child.ask_to_end)

    def python(label: str, *arguments: str) -> None:
        start(Command(label, [sys.executable, *arguments], environment, folder=Path(__file__).parents[1]))

    start(valkey.command(folder / "valkey"))
    weed, metrics_port, port = Seaweedfs(folder / "seaweedfs"), free_port(), free_port()
    command = weed.command()
    flags = [*command.arguments, f"-metricsPort={metrics_port}", "-metricsIp=127.0.0.1"]
    start(Command(command.label, flags, command.environment, folder=command.folder, umask=command.umask))
    _wait(lambda: valkey.is_ready(folder / "valkey") and weed.is_ready())
    environment = {
        "OVSEG_REDIS_URL": valkey.url(folder / "valkey"),
        "OVSEG_S3_ENDPOINT_URL": weed.endpoint_url,
        "OVSEG_S3_BUCKET": BUCKET,
        "OVSEG_GATEWAY_PORT": str(port),
        "OVSEG_GATEWAY_PROCESSES": str(processes),
        **weed.credentials,
    }
    python("gateway", "-m", "ovseg", "gateway")
    python("worker", "-m", "benchmarks.ready_worker")
    space = cleanup.enter_context(Keyspace.open(Settings(redis_url=environment["OVSEG_REDIS_URL"])))
    url, image = f"http://127.0.0.1:{port}", photo(0, SIZE)
    _wait(lambda: _is_ready(url))
    form = {"request": json.dumps(QUESTION)}
    requests.post(f"{url}/v1/jobs?wait=30", files={"image": image}, data=form, timeout=60).raise_for_status()
    body = json.dumps({"image": {"sha256": hashlib.sha256(image).hexdigest()}, **QUESTION, **options})
    return Service(port, body, f"http://127.0.0.1:{metrics_port}/metrics", space, children)


def _is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz?workers=1", timeout=3).ok
    except requests.RequestException:
        return False


def _wait(is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_ready():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _per_job(service: Service, jobs: int) -> dict[str, float]:
    def work(jobs: int) -> None:
        client = service.client
        for _ in range(jobs):
            client.click()
        time.sleep(SETTLED_SECONDS)

    work(WARM_UP)
    idle = service.spent(lambda: time.sleep(IDLE_SECONDS))
    start = time.monotonic()
    spent = service.spent(lambda: work(jobs))
    share = (time.monotonic() - start) / IDLE_SECONDS
    return {name: round((spent[name] - share * idle[name]) / jobs, 2) for name in spent}


def _calls(service: Service) -> dict[str, dict[str, float]]:
    """Return how many calls to Redis a job takes, by name, and the median microseconds of one; scripts by file name.

    Redis's log of slow commands lists all calls meanwhile, and MONITOR tells which of them scripts made. Calls that
    processes make without a job are rare, and are left out.
    """
    redis = service.keyspace.redis
    names = {redis.register_script(source).sha: f"{name}.lua" for name, source in scripts.sources().items()}

    def name_of(command: str) -> str:
        name, *arguments = command.split()
        return names.get(arguments[0], name) if name == "EVALSHA" else name.upper()

    redis.config_set("slowlog-max-len", 100_000)
    redis.config_set("slowlog-log-slower-than", 0)
    counts = _monitored(service)
    redis.config_set("slowlog-log-slower-than", -1)
    times = defaultdict(list)
    for entry in redis.slowlog_get(100_000):
        times[name_of(str(entry["command"], errors="replace"))].append(entry["duration"])
    rows = {
        name: {"calls": round(count / LOGGED_JOBS, 2), "us": round(statistics.median(times[name] or [0]))}
        for name, count in Counter(map(name_of, counts)).items()
        if count >= LOGGED_JOBS / 2
    }
    return dict(sorted(rows.items(), key=lambda row: -row[1]["calls"] * row[1]["us"]))


def _monitored(service: Service) -> list[str]:
    """Return the calls to Redis of LOGGED_JOBS jobs, without those of scripts."""
    client, is_over, calls = service.client, "PING over", []

    def work() -> None:
        for _ in range(LOGGED_JOBS):
            client.click()
        time.sleep(SETTLED_SECONDS)
        service.keyspace.redis.execute_command(*is_over.split())

    with service.keyspace.redis.monitor() as monitor, ThreadPoolExecutor(1) as pool:
        ended = pool.submit(work)
        for seen in monitor.listen():
            if seen["command"] == is_over:
                break
            if seen["client_type"] != "lua":
                calls.append(seen["command"])
        ended.result()
    return calls


def _accepts(service: Service, jobs: int) -> dict[str, Any]:
    seconds = 0.0

    def submit(client: Client) -> None:
        for _ in range(jobs // CLIENTS):
            client.submit()

    def work() -> None:
        nonlocal seconds
        clients, start = [service.client for _ in range(CLIENTS)], time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(submit, clients))
        seconds = time.perf_counter() - start
        time.sleep(SETTLED_SECONDS)

    spent = service.spent(work)
    return {
        "per_s": round(jobs / seconds),
        "per_cpu_s": round(jobs / spent["gateway"] * 1000),
        "per_job": {name: round(spent[name] / jobs, 3) for name in ("gateway", "valkey", "seaweedfs", "S3 PUT")},
    }


def _show(result: dict[str, Any]) -> None:
    for name, value in result["per_job"].items():
        print(f"{name:<24}{value:>8.2f}" + ("" if name.startswith("S3") else " ms of CPU time for each job"))
    for name, row in result["redis"].items():
        print(f"{name:<24}{row['calls']:>8.2f} calls, {row['us']:.0f} us each")
    for processes, accepts in result["accepts"].items():
        print(
            f"{processes} gateway processes:", "{per_s} accepts/s, {per_cpu_s} per second of CPU time".format(**accepts)
        )
        print("for each:", ", ".join(f"{name} {number}" for name, number in accepts["per_job"].items()))


if __name__ == "__main__":
    main()
