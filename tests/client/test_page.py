"""The examples of the client's pages run as they are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support import pictures
from tests.support.service import Service

ROOT = Path(__file__).parents[2]


def run_blocks(page: str, folder: Path, service: Service) -> str:
    """Run the Python blocks of a page one after the other in one interpreter. Return its output."""
    (folder / "photo.jpg").write_bytes(pictures.photo())
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    code = "\n".join(blocks).replace("http://127.0.0.1:8080", service.url)
    environment = os.environ | {"OVSEG_URL": service.url, "PYTHONPATH": str(ROOT / "clients" / "python" / "src")}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_examples_of_the_page_run(service: Service, tmp_path: Path) -> None:
    assert "invalid_prompt prompts[0].box" in run_blocks("docs/client.md", tmp_path, service)


def test_the_example_of_the_clients_readme_runs(service: Service, tmp_path: Path) -> None:
    assert ", 180]" in run_blocks("clients/python/README.md", tmp_path, service)


def test_the_two_lines_of_the_first_page_run(service: Service, tmp_path: Path) -> None:
    (tmp_path / "ovseg" / "photos").mkdir(parents=True)
    (tmp_path / "ovseg" / "photos" / "astronaut.jpg").write_bytes(pictures.photo())
    run_blocks("README.md", tmp_path, service)
