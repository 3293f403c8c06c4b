"""A running gateway answers requests of every kind that the OpenAPI document describes as the document says.

Schemathesis makes the requests from the document: the examples, values at every limit, and random ones, valid and
invalid. It fails at a status, a content type, a header or a body that is not in the document, and at a server error.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from configs.settings import Settings
from tests.support import lone_gateway
from worker.access.keys import Keys
from worker.access.scope import Scope
from worker.store.keyspace import Keyspace

ROOT = Path(__file__).parents[2]
# Random requests for each route. Without the variable they are the same in each run.
GIVEN = os.environ.get("API_EXAMPLES")
AMOUNT = ["--max-examples", GIVEN] if GIVEN else ["--max-examples", "5", "--generation-deterministic"]
# Event streams of jobs that no worker takes, of unfinished batches and of tenants do not end.
STREAMS = "^/v1/(jobs/[^/]+/|batches/[^/]+/)?events$"
CHECKS = (
    "no_unexpected_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# With keys, the examples and values at every limit too: these are most of the requests and of the time, and keys do not
# change them.
PHASES = {"required": "examples,coverage,fuzzing", "off": "fuzzing"}
# The body of PUT is that of POST, and so are its values at every limit: a quarter of all requests.
ONCE = """
[[operations]]
include-name = "PUT /v1/jobs/{job_id}"
phases.coverage.enabled = false
"""


@pytest.mark.parametrize("auth", PHASES)
def test_no_answer_differs_from_the_document(
    s3_settings: Settings, keyspace: Keyspace, auth: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = {
        "OVSEG_AUTH": auth,
        "OVSEG_WEBHOOK_SECRET": str(s3_settings.webhook_secret),
        "OVSEG_IMAGE_HEADERS_SECRET": "a" * 32,
        "OVSEG_MAX_WAIT_SECONDS": "0.2",  # no job ends without a worker
        "OVSEG_CHAT_TIMEOUT_SECONDS": "0.1",
        "OVSEG_PADDLEX_TIMEOUT_SECONDS": "0.1",
        "SCHEMATHESIS_HOOKS": "tests.support.api_checks",
        "PYTHONPATH": str(ROOT),
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    if not GIVEN:
        (tmp_path / "schemathesis.toml").write_text(ONCE)
    key = Keys(keyspace).create("an admin", [Scope.ADMIN])
    with lone_gateway.running(s3_settings, is_patient=True) as gateway:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{gateway.url}/openapi.json"]
        command += ["--header", f"Authorization: Bearer {key}", "--generation-with-security-parameters", "false"]
        command += ["--checks", ",".join(CHECKS), "--phases", PHASES[auth], *AMOUNT]
        command += ["--exclude-path-regex", STREAMS]
        command += ["--no-shrink", "--no-color", "--warnings", "off"]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)  # it leaves a cache there
        log = gateway.log.read_text()
    assert ran.returncode == 0, ran.stdout[-10_000:] + ran.stderr
    assert "Traceback" not in log
