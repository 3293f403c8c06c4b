"""What a result can be written as: a row says everything that the service needs to know of an output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from configs.settings import Settings
from ovseg_core import longest_sides, outputs
from tests.support import stored_job
from worker.job import description
from worker.job.record import Job

ADDED = """
import json, sys
from ovseg_core import outputs

outputs.OUTPUTS += (
    outputs.Entry("outline", "outlines", "ovseg_core.polygons:of"),
    outputs.File("picture", "picture", "whole/picture.png", "image/x-whole", "ovseg_core.overlay:png"),
    outputs.File("cut", "cuts", "cuts/{}.png", "image/x-cut", "ovseg_core.png_file:of_mask", is_per_mask=True),
)
from configs.settings import Settings
from tests.support import stored_job
from worker.job import description
from worker.job.record import Job

print(json.dumps(stored_job.described("added", ["outline", "picture", "cut"], Settings())))
"""


def test_an_output_that_is_added_to_the_table_is_taken_made_stored_and_shown(s3_settings: Settings) -> None:
    environment = {"OVSEG_S3_ENDPOINT_URL": s3_settings.s3_endpoint_url or "", "OVSEG_S3_BUCKET": s3_settings.s3_bucket}
    command, root = [sys.executable, "-c", ADDED], Path(__file__).parents[3]
    ran = subprocess.run(command, cwd=root, env=os.environ | environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    job = json.loads(ran.stdout)
    assert job["result"].keys() == {"maskInfos", "outlines", "made_by"}
    assert len(job["result"]["outlines"]) == 2
    assert job["files"].keys() == {"result", "picture", "cuts"}
    assert job["files"]["picture"]["key"] == "jobs/added/1/whole/picture.png"
    assert [cut["key"] for cut in job["files"]["cuts"]] == ["jobs/added/1/cuts/0.png", "jobs/added/1/cuts/1.png"]
    for file, content_type in [(job["files"]["picture"], "image/x-whole"), (job["files"]["cuts"][1], "image/x-cut")]:
        answer = requests.get(file["url"], timeout=30)
        assert answer.content.startswith(b"\x89PNG")
        assert answer.headers["Content-Type"] == content_type


@pytest.mark.parametrize("name", outputs.names())
def test_each_output_is_shown_and_nothing_else_is_made(s3_settings: Settings, name: str) -> None:
    job = stored_job.described(f"only-{name}", [name], s3_settings)
    keys = {output.key for output in outputs.entries([name])}
    files = {file.shown_as for file in outputs.files([name], stored_job.HW)}
    assert keys or files
    assert job["result"].keys() == {"maskInfos", "made_by", *keys}
    assert job["files"].keys() == {"result", *files}
    for file in job["files"].values():
        for each in file if isinstance(file, list) else [file]:
            assert requests.get(each["url"], timeout=30).status_code == 200


def test_an_image_too_long_for_jpeg_has_its_overlay_as_png_too() -> None:
    longest = longest_sides.JPEG
    for image_hw in [(0, 0), (1, 1), (longest, 8), (8, longest)]:
        assert outputs.files(["overlay"], image_hw) == [outputs.OVERLAY_JPEG]
    for image_hw in [(longest + 1, 8), (8, longest + 1)]:
        assert outputs.files(["overlay"], image_hw) == [outputs.OVERLAY_JPEG, outputs.OVERLAY_PNG]


def test_no_two_files_have_the_same_path() -> None:
    paths = [output.path for output in outputs.OUTPUTS if isinstance(output, outputs.File)]
    assert len(paths) == len(set(paths)) > 0
    assert "result.json" not in paths


SUCCEEDED = {
    "status": "succeeded",
    "request": '{"image":{"url":"https://example.com/a.jpg"},"model":"SAM-Lite","outputs":["rle","png"],'
    '"prompts":[{"box":[1,2,3,4]},{"points":[[1,2]],"labels":[1]}]}',
    "attempt": "1",
    "accepted_at": "0",
    "files_prefix": "jobs/a/1/",
}


@pytest.mark.parametrize(
    ("of_later_versions", "count"),
    [({}, 2), ({"masks": "0"}, 0), ({"masks": "6"}, 6)],
    ids=["as version 0.1 wrote it", "no masks", "three masks for each prompt"],
)
def test_a_succeeded_job_lists_a_file_for_each_of_its_masks(of_later_versions: dict[str, str], count: int) -> None:
    files = description.describe(Job.from_record("a", SUCCEEDED | of_later_versions))["files"]
    assert [file["key"] for file in files["masks"]] == [f"jobs/a/1/masks/{i:04}.png" for i in range(count)]
