"""`ovseg demo`: submit a job to a new service, as a client does, with a photo from the package."""

from __future__ import annotations

import json
import re
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

from configs.settings import Settings
from ovseg import terminal
from ovseg.embedded.data_dir import InUse
from ovseg.stack import Plan, StartFailed, free_port, running

# NASA's photo of Eileen Collins, 1998. Works of the United States' government are in the public domain.
PHOTO = Path(__file__).parent / "photos" / "astronaut.jpg"

REQUEST = {
    "prompts": [
        {"box": [140, 10, 305, 180]},
        {"box": [340, 4, 462, 300]},
        {"points": [[390, 430]], "labels": [1]},
    ],
    "outputs": ["rle", "png", "overlay"],
}
ELIDED = 24  # characters of a long string that are printed


def run(output: Path, settings: Settings) -> int:
    """Run the demo. Return the exit code: 0 if the pictures are written."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="ovseg-demo-") as folder:
        # If no port is set, the demo takes a free one, so that it can run next to another service.
        port = settings.gateway_port if "gateway_port" in settings.model_fields_set else 0
        host = settings.gateway_host
        try:
            plan = Plan(Path(folder), host, port or free_port(host), settings.device, settings)
            with running(plan, terminal.show):
                job = _submit(plan.url)
                _write(job, output)
        except (StartFailed, InUse, OSError) as error:
            terminal.show("ovseg", str(error))
            return 1
        except KeyboardInterrupt:
            return 130
    succeeded = job["status"] == "succeeded"
    if succeeded:
        pictures = sorted(str(file) for file in output.iterdir())
        terminal.plain("\nEverything is stopped. Look at:\n  " + "\n  ".join(pictures))
    return 0 if succeeded else 1


def _submit(url: str) -> dict[str, Any]:
    terminal.plain(f"\nPOST {url}/v1/jobs   image=@{PHOTO.name}\n{_pretty(REQUEST)}\n")
    start = time.perf_counter()
    with PHOTO.open("rb") as photo:
        answer = requests.post(
            f"{url}/v1/jobs",
            files={"image": (PHOTO.name, photo, "image/jpeg")},
            data={"request": json.dumps(REQUEST)},
            timeout=30,
        )
    answer.raise_for_status()
    accepted = answer.json()
    terminal.plain(f"\n{answer.status_code} {answer.reason} in {(time.perf_counter() - start) * 1000:.0f} ms")
    terminal.plain(f"GET {answer.headers['Location']}?wait=60\n")
    job: dict[str, Any] = requests.get(f"{url}/v1/jobs/{accepted['id']}", params={"wait": 60}, timeout=90).json()
    terminal.plain(_pretty(_elided(job)) + "\n")
    return job


def _write(job: dict[str, Any], output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    named = job["files"]
    files = [("overlay.jpg", named["overlay"]), ("result.json", named["result"])]
    files += [(f"mask_{i}.png", file) for i, file in enumerate(named["masks"])]
    for name, file in files:
        answer = requests.get(file["url"], timeout=30)
        answer.raise_for_status()
        (output / name).write_bytes(answer.content)


def _elided(value: Any) -> Any:
    """Return the same JSON with long strings (masks, signed URLs) cut short."""
    if isinstance(value, dict):
        return {name: _elided(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_elided(part) for part in value]
    if isinstance(value, str) and len(value) > 2 * ELIDED:
        return f"{value[:ELIDED]}... ({len(value):,} characters)"
    return value


def _pretty(value: Any) -> str:
    """Return indented JSON for people to read, with each list of numbers or words on one line."""
    return re.sub(r"\[[^\[\]{}]*\]", lambda found: f"[{' '.join(found[0][1:-1].split())}]", json.dumps(value, indent=2))
