"""What `pip install` brings."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CLIENT = ROOT / "clients" / "python"


def names_in_wheel(project: Path, folder: Path) -> set[str]:
    """Build the wheel of a project into an empty folder, and return the names of its files."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=project, check=True, capture_output=True)
    [wheel] = folder.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def files_of_packages(project: Path) -> set[str]:
    """Return the files of the packages that a project ships, as they are named in its wheel."""
    hatch = tomllib.loads((project / "pyproject.toml").read_text())["tool"]["hatch"]
    packages = [project / package for package in hatch["build"]["targets"]["wheel"]["packages"]]
    paths = [(path, package) for package in packages for path in package.rglob("*") if path.is_file()]
    return {str(path.relative_to(package.parent)) for path, package in paths if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in the wheel of the service."""
    return names_in_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


def test_every_file_of_the_packages_is_in_the_wheel_and_nothing_else(files: set[str]) -> None:
    assert {name for name in files if ".dist-info/" not in name} == files_of_packages(ROOT)


def test_the_client_is_a_wheel_of_its_own_with_types_and_a_licence(tmp_path: Path) -> None:
    names = names_in_wheel(CLIENT, tmp_path)
    ours = {name for name in names if ".dist-info/" not in name}
    assert ours == files_of_packages(CLIENT)
    assert {"ovseg_client/__init__.py", "ovseg_client/py.typed"} <= ours
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
    assert (CLIENT / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_types_models_weights_scripts_and_photos_are_among_them(files: set[str]) -> None:
    assert {
        "gateway/web/console.html",
        "gateway/web/console/views/keys.js",
        "gateway/web/playground.html",
        "gateway/web/playground.js",
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
