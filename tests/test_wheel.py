"""What `pip install` brings."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HATCH = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = folder.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_file_of_the_packages_is_in_the_wheel_and_nothing_else(files: set[str]) -> None:
    packages = [ROOT / package for package in HATCH["build"]["targets"]["wheel"]["packages"]]
    paths = [path for package in packages for path in package.rglob("*") if path.is_file()]
    ours = {str(path.relative_to(ROOT)) for path in paths if "__pycache__" not in path.parts}
    assert {name for name in files if ".dist-info/" not in name} == ours


def test_types_models_weights_scripts_and_photos_are_among_them(files: set[str]) -> None:
    assert {
        "gateway/templates/home.html",
        "ovseg/photos/astronaut.jpg",
        "ovseg_core/models/detectors.yaml",
        "ovseg_core/models/models.yaml",
        "ovseg_core/models/weights/sam_lite.int8.bin",
        "ovseg_core/models/weights/sam_lite.int8.xml",
        "ovseg_core/models/weights/sam_lite.safetensors",
        "ovseg_core/paddlex/open_vocabulary_detection.yaml",
        "ovseg_core/paddlex/open_vocabulary_segmentation.yaml",
        "ovseg_core/py.typed",
        "worker/store/lua/accept.lua",
        "worker/store/lua/prelude/lines.lua",
    } <= files
