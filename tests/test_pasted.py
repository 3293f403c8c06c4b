"""What the pages tell a reader to paste works as it is written."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import pictures
from tests.support.service import Service

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
API = (ROOT / "docs" / "api.md").read_text()


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl to paste the README's commands into")
def test_the_readmes_curl_works_when_pasted(service: Service) -> None:
    submit, wait = re.findall(r"```bash\n(curl .*?)```", README, re.DOTALL)

    def paste(command: str) -> dict[str, Any]:
        command = command.replace("http://127.0.0.1:8080", service.url)
        ran = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
        job: dict[str, Any] = json.loads(ran.stdout)
        return job

    job = paste(submit)
    assert job["status"] == "queued"
    done = paste(wait.replace("ID", job["id"]))
    assert done["status"] == "succeeded"
    shown = json.loads(
        re.sub(r",?\s*\.\.\.", "", re.findall(r"```json\n(.*?)```", README, re.DOTALL)[0]).replace("[]", "0")
    )
    assert shown.keys() <= done.keys()
    assert shown["timings_ms"].keys() == done["timings_ms"].keys()
    assert shown["result"].keys() == done["result"].keys()
    infos = [answer["result"]["maskInfos"][0] for answer in (shown, done)]
    assert infos[0]["score"] == pytest.approx(infos[1]["score"], abs=0.1)


def test_the_readmes_command_line_works_when_pasted(tmp_path: Path) -> None:
    (tmp_path / "ovseg").mkdir()
    (tmp_path / "ovseg" / "photos").symlink_to(ROOT / "ovseg" / "photos")
    command = re.findall(r"```bash\novseg (--pipeline .*?)```", README, re.DOTALL)[0]
    run = [sys.executable, "-m", "ovseg", *shlex.split(command.replace("\\\n", " "))]
    ran = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert {file.name for file in (tmp_path / "output").iterdir()} == {"astronaut_res.jpg", "astronaut_res.json"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl to paste the page's commands into")
def test_the_curls_of_everything_candidates_and_masks_work_when_pasted(service: Service) -> None:
    section = API[API.index("### Everything\n") : API.index("### Limits\n")]
    commands = re.findall(r"```bash\n(curl .*?)```", section, re.DOTALL)
    examples = [json.loads(example) for example in re.findall(r"```json\n(.*?)```", section, re.DOTALL)]
    job: dict[str, Any] = {"id": "none"}
    found = []
    for command in commands:
        pasted = command.replace("http://127.0.0.1:8080", service.url).replace('"ID"', f'"{job["id"]}"')
        ran = subprocess.run(["bash", "-c", pasted], cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
        job = service.wait(json.loads(ran.stdout)["id"])
        assert job["status"] == "succeeded", job["error"]
        found.append(job["result"]["maskInfos"])
    everything, candidates, [refined] = found
    assert [everything[0].keys(), candidates[0].keys()] == [examples[0].keys(), examples[1][0].keys()]
    labels = [info["label"] for info in (*candidates, refined)]
    assert labels == [*(info["label"] for info in examples[1]), "mask_prompt"]
    scores = [[info["score"] for info in infos] for infos in (candidates, examples[1])]
    assert scores[0] == pytest.approx(scores[1], abs=0.1)


def documents(text: str) -> list[dict[str, Any]]:
    """Return the JSON objects of a text, which follow each other."""
    found, decoder = [], json.JSONDecoder()
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:]
    return found


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl to paste the page's commands into")
def test_the_other_curls_of_the_api_page_work_when_pasted(service: Service, tmp_path: Path) -> None:
    """One after the other, with the ids of the answers before."""
    (tmp_path / "photo.jpg").write_bytes(pictures.photo())
    (tmp_path / "ovseg").symlink_to(ROOT / "ovseg")
    page = API[: API.index("### Everything\n")] + API[API.index("### Limits\n") :]
    job, upload, refusals = "none", {"id": "none", "url": ""}, []
    for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL):
        if "curl" not in block:
            continue
        pasted = re.sub(r"upl_\w+", upload["id"], block.replace("/jobs/ID/", f"/jobs/{job}/"))
        pasted = pasted.replace("http://127.0.0.1:8080", service.url).replace("cars", "pasted-cars")
        shell = ["bash", "-e", "-o", "pipefail", "-c", pasted]
        environment = {**os.environ, "URL": upload["url"]}
        ran = subprocess.run(shell, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, (pasted, ran.stderr)
        for answer in documents(ran.stdout):
            if "code" in answer or "errorCode" in answer:
                refusals.append(answer.get("code") or answer["errorMsg"].partition(";")[0])
            elif answer.get("object") == "upload":
                upload = answer
            elif "prompts" in answer:
                job = answer["id"]
                assert service.wait(job)["status"] == "succeeded", pasted
    assert refusals == ["model_not_installed", "auth_off", "detector: no worker has GroundingDINO-T"]
    for picture in ("overlay.jpg", "preview.jpg"):
        assert (tmp_path / picture).read_bytes().startswith(b"\xff\xd8"), picture
    assert json.loads((tmp_path / "pasted-cars.json").read_text()).keys() >= {"images", "annotations", "categories"}


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run the page's program")
def test_the_program_that_follows_a_job_sees_its_end(service: Service) -> None:
    [_, program] = re.findall(r"```javascript\n(.*?)```", (ROOT / "docs" / "live-events.md").read_text(), re.DOTALL)
    job = service.submit(image=base64.b64encode(pictures.photo()).decode(), prompts=[{"box": [140, 10, 305, 180]}])
    known = f"const [url, id, key] = {json.dumps([service.url, job['id'], 'ovk_none'])}\n"
    known += "const handle = (event) => console.log(event.type, event.data.status)\n"
    run = ["node", "--input-type=module", "--eval", known + program]
    ran = subprocess.run(run, capture_output=True, text=True, check=True, timeout=90)
    assert ran.stdout.splitlines()[-1] in ("job.succeeded succeeded", "job.state succeeded")


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl to paste the page's command into")
def test_the_curl_for_a_web_server_works_when_pasted(service: Service, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(pictures.photo())
    page = (ROOT / "docs" / "from-transformers.md").read_text()
    [command] = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    command = command.replace("http://127.0.0.1:8080", service.url)
    ran = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300)
    assert len(json.loads(ran.stdout)["result"]["maskInfos"]) == 1
