"""`ovseg up` with API keys, for two tenants: the first key comes from the command line on the same machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from ovseg.commands import main
from tests.support import commands, stacks
from tests.support.service import Service

JOB = {"image": stacks.PHOTO, "prompts": stacks.PROMPTS, "outputs": ["rle"]}


def made_key(data_dir: Path, tenant: str) -> dict[str, str]:
    """Make a key as an operator does on the machine of `ovseg up`. Return the header that has it."""
    ran = CliRunner(env={"OVSEG_DATA_DIR": str(data_dir)}).invoke(main, ["keys", "create", "--tenant", tenant])
    assert ran.exit_code == 0, ran.stderr
    return {"Authorization": f"Bearer {ran.stdout.strip()}"}


def segmented(service: Service, key: dict[str, str]) -> dict[str, Any]:
    job = service.post("/v1/jobs", json=JOB, headers=key).json()
    ended: dict[str, Any] = service.get(f"/v1/jobs/{job['id']}?wait=60", headers=key).json()
    assert ended["status"] == "succeeded"
    return ended


def test_tenants_share_the_workers_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OVSEG_REDIS_URL", raising=False)
    with stacks.running(tmp_path, OVSEG_AUTH="required") as service:
        assert service.get("/v1/jobs").status_code == 401
        acme, beta = (made_key(tmp_path, tenant) for tenant in ("acme", "beta"))
        jobs = [segmented(service, key) for key in (acme, acme, beta, beta)]
        # Nobody learns from a fast answer that another tenant sent the same image.
        assert [job["embedding_cache"] for job in jobs] == ["miss", "hit", "miss", "hit"]
        assert all(job["result"] == jobs[0]["result"] for job in jobs)
        for job, own, other in ((jobs[0], acme, beta), (jobs[2], beta, acme)):
            url = job["files"]["result"]["url"]
            assert requests.get(url, timeout=30).json()["logId"] == job["id"]
            assert service.get(f"/v1/jobs/{job['id']}", headers=own).status_code == 200
            assert service.get(f"/v1/jobs/{job['id']}", headers=other).status_code == 404

        ran = commands.run("tenants", "erase", "acme", "--yes", OVSEG_DATA_DIR=str(tmp_path))
        assert ran.stdout == "acme is erased: 2 jobs\n", ran.stderr
        assert ran.stderr.endswith("erased tenant acme, 2 jobs\n")
        assert service.get("/v1/jobs", headers=acme).status_code == 401
        assert requests.get(jobs[0]["files"]["result"]["url"], timeout=30).status_code == 404
        assert len(service.get("/v1/jobs", headers=beta).json()["jobs"]) == 2
        listed = commands.run("tenants", "list", OVSEG_DATA_DIR=str(tmp_path)).stdout.splitlines()
        assert [line.split()[0] for line in listed] == ["default", "beta"]
