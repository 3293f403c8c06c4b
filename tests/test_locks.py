"""locks/*.txt agree with pyproject.toml, have hashes, and name no index, link or path."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
CLIENT = tomllib.loads((ROOT / "clients" / "python" / "pyproject.toml").read_text())["project"]
BUILD = PROJECT["dependency-groups"]["build"]
PYTHONS = ["3.11.7", "3.12.1", "3.13.0"]

# The requirements that each lock installs: those of pyproject.toml and of the client, and those of their build.
WANTED = {
    "dev": PROJECT["project"]["dependencies"]
    + CLIENT["dependencies"]
    + [line for extra in ("embedded", "openvino", "onnxruntime", "dev") for line in EXTRAS[extra]],
    "service": PROJECT["project"]["dependencies"]
    + CLIENT["dependencies"]
    + [line for extra in ("embedded", "openvino", "text", "fonts") for line in EXTRAS[extra]],
    "gateway": PROJECT["dependency-groups"]["gateway"],
    "worker": PROJECT["project"]["dependencies"]
    + [line for extra in ("openvino", "onnxruntime", "text", "fonts") for line in EXTRAS[extra]],
    "worker-gpu": [line for line in PROJECT["project"]["dependencies"] if not line.startswith("paddlepaddle")]
    + EXTRAS["text"]
    + EXTRAS["fonts"],
}


def pins_of(lock: str, python: str) -> dict[str, Version]:
    """Return the versions by name that pip would install on Linux with this version of Python."""
    environment = {"python_full_version": python, "python_version": python[:4]}
    pins: dict[str, list[Version]] = defaultdict(list)
    for line in re.findall(r"^\S+==[^\\\n]+", (ROOT / "locks" / f"{lock}.txt").read_text(), re.MULTILINE):
        pin = Requirement(line)
        if pin.marker is None or Marker(str(pin.marker)).evaluate(environment):
            (specifier,) = pin.specifier
            pins[canonicalize_name(pin.name)].append(Version(specifier.version))
    assert [name for name, versions in pins.items() if len(versions) > 1] == []
    return {name: versions[0] for name, versions in pins.items()}


def requirements(lines: list[str]) -> list[Requirement]:
    """Return the requirements, with each extra of our own replaced by its requirements."""
    found = []
    for requirement in map(Requirement, lines):
        if requirement.name == "ovseg":
            for extra in requirement.extras:
                found += requirements(EXTRAS[extra])
        else:
            found.append(requirement)
    return found


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", WANTED)
def test_a_lock_has_every_requirement_in_its_range(lock: str, python: str) -> None:
    pins = pins_of(lock, python)
    for requirement in requirements(WANTED[lock] + BUILD):
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not in locks/{lock}.txt; run `make lock`"
        assert version in requirement.specifier, f"{requirement}: locks/{lock}.txt has {version}; run `make lock`"


@pytest.mark.parametrize("lock", [file.stem for file in sorted((ROOT / "locks").iterdir())])
def test_a_lock_is_pins_and_hashes_and_names_no_index_link_or_path(lock: str) -> None:
    text = (ROOT / "locks" / f"{lock}.txt").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    pin = re.compile(r"[a-z0-9.-]+==[a-zA-Z0-9.!+]+( ; [a-zA-Z0-9_<>=!.'() -]+)? \\")
    a_hash = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [line for line in lines if not pin.fullmatch(line) and not a_hash.fullmatch(line)] == []
    for before, after in zip(lines, [*lines[1:], ""], strict=True):
        assert not before.endswith("\\") or a_hash.fullmatch(after), before  # no pin without a hash
    assert "/" not in text
    assert "ovseg" not in text


@pytest.mark.parametrize("python", PYTHONS)
def test_images_and_make_install_the_versions_that_the_tests_use(python: str) -> None:
    tested = pins_of("dev", python)
    for lock in ("service", "gateway", "worker", "worker-gpu"):
        assert pins_of(lock, python).items() <= tested.items(), lock
    assert pins_of("headless", python) == {"opencv-python-headless": tested["opencv-python"]}


def test_no_requirement_would_install_the_client_from_pypi_where_its_name_is_free() -> None:
    lines = [*PROJECT["project"]["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
    assert CLIENT["name"] not in [Requirement(line).name for line in lines]


def test_the_requirements_of_the_build_system_are_locked() -> None:
    assert set(PROJECT["build-system"]["requires"]) <= set(BUILD)


def test_make_installs_from_the_locks() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target, lock in (("embedded", "service"), ("dev", "dev")):
        recipe = re.search(rf"^\.venv/{target}:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
        assert recipe is not None
        assert f"$(PIP) $(LOCKED) locks/{lock}.txt" in recipe[1]
        installs = [line for line in recipe[1].splitlines() if "$(PIP)" in line]
        assert all("$(LOCKED)" in line or line == "\t$(PIP) $(OURSELVES)" for line in installs)
