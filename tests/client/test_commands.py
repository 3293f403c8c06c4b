"""`ovseg submit`, `jobs`, `batch` and `watch` against the real service."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ovseg.commands import main
from tests.support import pictures
from tests.support.fakes import Host
from tests.support.service import Service

Run = Callable[..., Result]


@pytest.fixture
def run(service: Service) -> Run:
    return lambda *arguments: CliRunner().invoke(main, [*arguments, "--url", service.url])


def test_images_are_submitted_and_their_masks_or_errors_printed(run: Run, photo: Path) -> None:
    ran = run("submit", str(photo), str(photo), "--box", "140,10,305,180", "--point", "390,430", "--point", "10,10,0")
    assert ran.exit_code == 0, ran.output
    assert [line.count("box_prompt 0.") for line in ran.stdout.splitlines()] == [1, 1]
    assert "points_prompt 0." in ran.stdout
    ran = run("submit", str(photo), str(photo.with_name("none.jpg")), "--box", "140,10,305,180", "--json")
    assert ran.exit_code == 1
    assert len(json.loads(ran.stdout)["result"]["masks"]) == 1
    assert "none.jpg" in ran.stderr
    assert "1 of the images failed" in ran.stderr


def test_jobs_are_listed_shown_canceled_and_deleted(run: Run, photo: Path) -> None:
    ran = run("submit", str(photo), "--box", "140,10,305,180", "--no-wait", "--outputs", "rle", "--model", "SAM-Lite")
    job_id = ran.stdout.strip()
    events = run("watch", job_id).stdout.splitlines()
    assert "job.succeeded" in events[-1] or "job.state" in events[-1]
    assert json.loads(run("jobs", "show", job_id).stdout)["outputs"] == ["rle"]
    assert run("jobs", "file", job_id, "image").stdout_bytes == pictures.photo()
    assert run("jobs", "file", job_id, "result.json", "-o", str(photo.with_name("result"))).exit_code == 0
    assert json.loads(photo.with_name("result").read_text())["errorCode"] == 0
    listed = run("jobs", "list", "--status", "succeeded", "--limit", "100").stdout.splitlines()
    assert job_id in [line.split()[0] for line in listed]
    assert json.loads(run("jobs", "list", "--limit", "1", "--json").stdout)["id"]
    assert "job_already_final" in run("jobs", "cancel", job_id).stderr
    assert "deleted" in run("jobs", "delete", job_id).stdout
    gone = run("jobs", "show", job_id)
    assert (gone.exit_code, "not_found" in gone.stderr) == (1, True)


def test_a_batch_is_submitted_from_a_file_and_its_results_are_printed(
    run: Run, tmp_path: Path, trusted_host: Host
) -> None:
    image = trusted_host.serve("/command-batch.jpg", pictures.photo())
    lines = [
        {"defaults": {"outputs": ["rle"]}},
        {"id": "a", "image": image, "prompts": [{"box": [140, 10, 305, 180]}]},
        {"id": "b", "image": image, "prompts": []},
    ]
    (tmp_path / "manifest").write_text("\n\n".join(map(json.dumps, lines)))
    ran = run("batch", "submit", str(tmp_path / "manifest"), "--wait")
    assert ran.exit_code == 0, ran.output
    assert "item 2 (b)" in ran.stderr
    batch_id, status, *counts = ran.stdout.split()
    assert (status, counts) == ("completed", ["total", "1,", "succeeded", "1"])
    assert run("batch", "status", batch_id).stdout == ran.stdout
    assert json.loads(run("batch", "results", batch_id).stdout)["status"] == "succeeded"
    assert len(json.loads(run("batch", "results", batch_id, "--coco").stdout)["annotations"]) == 1
    assert "batch_already_final" in run("batch", "cancel", batch_id).stderr
    assert "nothing_to_retry" in run("batch", "retry", batch_id).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["submit", "a.jpg", "--box", "1,2,3"], "is not 4 numbers"),
        (["submit", "a.jpg", "--point", "1"], "is not 2 or 3 numbers"),
        (["submit", "a.jpg"], "one of boxes"),
        (["jobs", "show", "none"], "not_found"),
        (["batch", "submit", __file__], "line 1 of the manifest is no JSON object"),
    ],
)
def test_mistakes_are_reported_in_one_line(run: Run, arguments: list[str], message: str) -> None:
    ran = run(*arguments)
    assert ran.exit_code != 0
    assert message in ran.stderr.splitlines()[-1]


def test_without_the_client_the_commands_say_how_to_install_it(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setitem(sys.modules, "ovseg_client", None)
    ran = run("jobs", "list")
    assert (ran.exit_code, "pip install" in ran.stderr) == (1, True)
