"""The registry, and weights that are downloaded from a local server, which can fail in several ways."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ovseg.commands import main
from ovseg_core import models
from ovseg_core.errors import OvsegError
from ovseg_core.models.pull import PullFailed, pull
from ovseg_core.segmenter import Segmenter

WEIGHTS = np.random.default_rng(0).bytes(3_000_000)


@dataclass
class Server:
    """Serves WEIGHTS at `paths`, also in ranges; `cut_after` truncates one answer to this number of bytes."""

    url: str = ""
    content: bytes = WEIGHTS
    cut_after: int | None = None
    paths: tuple[str, ...] = ("/weights.bin",)
    ranges: list[str | None] = field(default_factory=list)  # the Range of each request


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(WEIGHTS) as state:
        yield state


@contextmanager
def serving(content: bytes) -> Iterator[Server]:
    state = Server(content=content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in state.paths:
                self.send_error(404)
                return
            requested = self.headers["Range"]
            state.ranges.append(requested)
            start = int(requested.removeprefix("bytes=").removesuffix("-")) if requested else 0
            if requested and start >= len(state.content):
                self.send_error(416)
                return
            body = state.content[start:]
            self.send_response(206 if requested else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            end, state.cut_after = state.cut_after, None
            self.wfile.write(body[:end])

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        state.url = f"http://127.0.0.1:{http.server_address[1]}"
        yield state
        http.shutdown()


@pytest.fixture
def registry(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Register MINE, a model of the user's own, on the server, and UNPUBLISHED, whose SHA-256 is not published."""
    text = f"""
MINE:
  network: sam_b
  file: weights.bin
  urls: ["{server.url}/weights.bin"]
  bytes: {len(WEIGHTS)}
  sha256: {hashlib.sha256(WEIGHTS).hexdigest()}
  licence: mine
UNPUBLISHED:
  network: sam_b
  file: unpublished+.bin
  urls: ["{server.url}/weights.bin"]
"""
    (tmp_path / "models.yaml").write_text(text)
    monkeypatch.setenv("OVSEG_MODELS_YAML", str(tmp_path / "models.yaml"))
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path / "models"))


def ovseg(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["models", *arguments])
    return result.exit_code, result.stdout + (result.stderr if result.exit_code else "")


@pytest.mark.usefixtures("registry")
def test_a_model_is_listed_pulled_verified_and_removed_from_the_command_line(tmp_path: Path) -> None:
    assert re.search(r"\nMINE +not installed", ovseg("list")[1])
    assert "it is not installed" in ovseg("verify", "MINE")[1]
    code, output = ovseg("pull", "MINE")
    assert code == 0
    assert output.splitlines()[-1] == str(tmp_path / "models" / "weights.bin")
    assert (tmp_path / "models" / "weights.bin").read_bytes() == WEIGHTS
    assert re.search(r"\nMINE +installed", ovseg("list")[1])
    assert ovseg("verify") == (0, "SAM-Lite: present; no checksum is published\nMINE: as published\n")
    (tmp_path / "models" / "weights.bin").write_bytes(WEIGHTS[:-1] + b"!")
    code, output = ovseg("verify", "MINE")
    assert code == 1
    assert "its SHA-256 is" in output
    assert ovseg("rm", "MINE")[0] == 0
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["weights.bin.lock"]
    assert ovseg("rm", "SAM-Lite") == (1, "Error: SAM-Lite is part of the package and cannot be removed\n")
    assert "SAM-H_point, MINE" in ovseg("pull", "SAM-XXL")[1]


@pytest.mark.usefixtures("registry")
def test_an_interrupted_download_continues_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.cut_after = 1_000_000
    with pytest.raises(PullFailed, match="MINE could not be fetched"):
        pull(models.find("MINE"))
    part = tmp_path / "models" / "weights.bin.part"
    have = part.stat().st_size
    assert 0 < have <= 1_000_000
    assert pull(models.find("MINE")).read_bytes() == WEIGHTS
    assert server.ranges == [None, f"bytes={have}-"]
    assert not part.exists()


@pytest.mark.usefixtures("registry")
def test_a_file_with_the_wrong_checksum_is_deleted(server: Server, tmp_path: Path) -> None:
    server.content = WEIGHTS[:-1] + b"!"
    with pytest.raises(PullFailed, match="its SHA-256 is"):
        pull(models.find("MINE"))
    assert not [path for path in (tmp_path / "models").iterdir() if path.suffix != ".lock"]


@pytest.mark.usefixtures("registry")
def test_what_was_fetched_is_recorded_also_after_a_resumed_download(server: Server, tmp_path: Path) -> None:
    server.cut_after = 1_000_000
    assert ovseg("pull", "UNPUBLISHED")[0] == 1
    assert not list((tmp_path / "models").glob("*.json"))
    assert ovseg("pull", "UNPUBLISHED")[0] == 0
    written = json.loads((tmp_path / "models" / "unpublished+.bin.record.json").read_text())
    assert datetime.fromisoformat(written.pop("time")).tzinfo is not None
    assert written == {
        "name": "unpublished+.bin",
        "url": f"{server.url}/weights.bin",
        "files": {"unpublished+.bin": {"bytes": len(WEIGHTS), "sha256": hashlib.sha256(WEIGHTS).hexdigest()}},
    }
    assert (
        json.loads(Path(ovseg("path", "UNPUBLISHED")[1].strip() + ".record.json").read_text())["url"] == written["url"]
    )
    code, output = ovseg("verify", "UNPUBLISHED")
    assert code == 0
    assert output.startswith(f"UNPUBLISHED: unchanged since it was fetched from {server.url}/weights.bin at ")
    assert "this is not the publisher's checksum: none is published" in output


@pytest.mark.usefixtures("registry")
def test_weights_that_changed_since_they_were_fetched_are_reported(tmp_path: Path) -> None:
    pull(models.find("UNPUBLISHED"))
    weights = tmp_path / "models" / "unpublished+.bin"
    weights.write_bytes(WEIGHTS[:-1] + b"!")
    code, output = ovseg("verify", "UNPUBLISHED")
    assert code == 1
    assert f"not {hashlib.sha256(WEIGHTS).hexdigest()} (the record is not the publisher's: fetched from" in output
    weights.write_bytes(WEIGHTS[:-1])
    assert f"it has {len(WEIGHTS) - 1} bytes, not {len(WEIGHTS)}" in ovseg("verify", "UNPUBLISHED")[1]
    assert ovseg("verify", "--record", "UNPUBLISHED")[0] == 0
    assert "unchanged since it was recorded here at" in ovseg("verify", "UNPUBLISHED")[1]


@pytest.mark.usefixtures("registry")
def test_weights_that_a_user_put_there_can_be_recorded(tmp_path: Path) -> None:
    weights = tmp_path / "models" / "unpublished+.bin"
    weights.parent.mkdir()
    weights.write_bytes(b"mine")
    code, output = ovseg("verify", "UNPUBLISHED")
    assert code == 0
    assert "none was recorded by a download; `ovseg models verify --record UNPUBLISHED` records the files" in output
    assert ovseg("verify", "--record", "UNPUBLISHED") == (0, f"UNPUBLISHED: recorded in {weights}.record.json\n")
    assert ovseg("verify", "--record", "MINE") == (1, "MINE: it is not installed\n")
    assert ovseg("verify", "--record") == (1, "Error: --record needs the names of the models to record\n")


@pytest.mark.usefixtures("registry")
def test_published_values_are_compared_even_if_others_are_recorded(tmp_path: Path) -> None:
    weights = tmp_path / "models" / "weights.bin"
    weights.parent.mkdir()
    weights.write_bytes(b"mine")
    code, output = ovseg("verify", "--record", "MINE")
    assert (code, output) == (1, f"MINE: it has 4 bytes, not {len(WEIGHTS)}\n")
    assert not Path(f"{weights}.record.json").exists()


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is damaged"),
        ('{"name": "unpublished+.bin", "url"', "is damaged"),
        ("[1, 2]", "is damaged"),
        ('{"name": "a", "url": null, "time": "", "files": {"a": [1]}}', "is damaged"),
        ('{"name": "a.bin", "url": null, "time": "", "files": {}}', "is the record of a.bin, not of unpublished+.bin"),
        ('{"name": "unpublished+.bin", "url": null, "time": "", "files": {}}', "unpublished+.bin is new"),
    ],
)
def test_a_damaged_record_or_that_of_another_file_is_named_and_can_be_replaced(
    tmp_path: Path, text: str, complaint: str
) -> None:
    pull(models.find("UNPUBLISHED"))
    (tmp_path / "models" / "unpublished+.bin.record.json").write_text(text)
    code, output = ovseg("verify", "UNPUBLISHED")
    assert code == 1
    assert complaint in output
    assert "`ovseg models verify --record UNPUBLISHED` records the files as they are now" in output
    assert len(output.splitlines()) == 1
    assert ovseg("verify", "--record", "UNPUBLISHED")[0] == 0
    assert ovseg("verify", "UNPUBLISHED")[0] == 0


@pytest.mark.usefixtures("registry")
def test_in_a_folder_that_cannot_be_written_weights_are_verified_and_the_error_names_the_folder(tmp_path: Path) -> None:
    weights = tmp_path / "models" / "unpublished+.bin"
    weights.parent.mkdir()
    weights.write_bytes(WEIGHTS)
    weights.parent.chmod(0o500)
    # root may write everywhere unless it gives that up
    as_a_user = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []

    def output_of(*arguments: str) -> tuple[int, str]:
        command = [*as_a_user, sys.executable, "-m", "ovseg", "models", *arguments]
        ran = subprocess.run(command, capture_output=True, text=True)
        return ran.returncode, ran.stdout + ran.stderr

    assert output_of("verify", "UNPUBLISHED")[0] == 0
    assert output_of("verify", "--record", "UNPUBLISHED") == (
        1,
        f"UNPUBLISHED: {weights}.record.json cannot be written: Permission denied\n",
    )
    code, output = output_of("pull", "MINE")
    assert code == 1
    assert f"MINE could not be fetched ({weights.parent} cannot be written: Permission denied). Put the file" in output
    assert len(output.splitlines()) == 1


@pytest.mark.usefixtures("registry")
def test_a_mirror_is_tried_before_the_address_of_the_model(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVSEG_MODELS_MIRROR", f"{server.url}/nothing/here/")
    messages: list[str] = []
    pull(models.find("MINE"), say=messages.append)
    assert messages == [
        f"fetching MINE from {server.url}/nothing/here/weights.bin",
        f"fetching MINE from {server.url}/weights.bin",
    ]


@pytest.mark.usefixtures("registry")
def test_a_plus_in_a_file_s_name_is_percent_encoded_in_the_address_at_the_mirror(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Object storage reads a plain + in an address as a space."""
    server.paths = ("/mirror/unpublished%2B.bin",)
    monkeypatch.setenv("OVSEG_MODELS_MIRROR", f"{server.url}/mirror")
    assert pull(models.find("UNPUBLISHED")) == tmp_path / "models" / "unpublished+.bin"


@pytest.mark.usefixtures("registry")
def test_without_a_server_the_error_names_the_path_of_the_file_and_a_model_that_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yaml = tmp_path / "models.yaml"
    unreachable = tmp_path / "unreachable.yaml"
    unreachable.write_text(yaml.read_text().replace("http://127.0.0.1:", "http://127.0.0.1:1/"))
    monkeypatch.setenv("OVSEG_MODELS_YAML", str(unreachable))
    with pytest.raises(PullFailed) as failed:
        pull(models.find("MINE"))
    assert "no connection to 127.0.0.1:1" in str(failed.value)
    assert f"Put the file weights.bin at {tmp_path / 'models' / 'weights.bin'} yourself" in str(failed.value)
    assert "SAM-Lite, which needs no download" in str(failed.value)


PULL = "from ovseg_core import models; from ovseg_core.models.pull import pull; pull(models.find('MINE'))"


@pytest.mark.usefixtures("registry")
def test_two_processes_at_the_same_time_download_once(server: Server, tmp_path: Path) -> None:
    both = [subprocess.Popen([sys.executable, "-c", PULL], stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert server.ranges == [None]
    assert (tmp_path / "models" / "weights.bin").read_bytes() == WEIGHTS
    names = sorted(path.name for path in (tmp_path / "models").iterdir())
    assert names == ["weights.bin", "weights.bin.lock", "weights.bin.record.json"]


@pytest.mark.usefixtures("registry")
def test_a_full_disk_is_an_error_and_leaves_no_incomplete_weights(tmp_path: Path) -> None:
    """A limit on the size of files simulates a full disk."""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6)); {PULL}"
    ran = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True)
    assert ran.returncode == 1
    assert "MINE could not be fetched" in ran.stderr
    assert "File too large" in ran.stderr
    assert not (tmp_path / "models" / "weights.bin").exists()


@pytest.mark.usefixtures("registry")
def test_a_model_that_is_not_installed_is_never_replaced_by_another() -> None:
    with pytest.raises(OvsegError, match="`ovseg models pull MINE` fetches it") as error:
        Segmenter.open("MINE")
    assert error.value.code == "model_not_installed"
