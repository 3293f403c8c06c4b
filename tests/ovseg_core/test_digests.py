"""Fingerprints of code contain all code that a result depends on, without a list that must be maintained."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ovseg import demo
from ovseg_core import digests, fingerprint, models
from ovseg_core.engines import onnx_files
from ovseg_core.networks import NETWORKS

# Prints the files of ovseg_core that are loaded on the way from an image to its embedding.
ENCODE = """
import sys
from pathlib import Path
from ovseg_core import digests, image
pixels = image.decode(Path(sys.argv[2]).read_bytes(), 10**8)
from ovseg_core import encoding
on_the_way = set(sys.modules)
from ovseg_core import models
spec = models.find("SAM-Lite")
of_the_registry = set(sys.modules) - on_the_way
network = spec.family.load(spec.network, spec.weights, "cpu", sys.argv[1], "float32")
encoding.encode(spec.name, network, spec.preset, [pixels])
for name in set(sys.modules) - of_the_registry - {"ovseg_core"}:
    if name.startswith("ovseg_core."):
        print(sys.modules[name].__file__)
"""

# Edits files of ovseg_core, and prints which fingerprints change: translations', embeddings' of SAM-B and SAM-Lite.
EDIT = """
import sys
from ovseg_core import digests, fingerprint
from ovseg_core.engines import onnx_files
from ovseg_core.networks import NETWORKS

def fingerprints():
    families = (NETWORKS[name].load.__module__ for name in ("sam_b", "sam_lite"))
    return digests.of_code(*onnx_files.SOURCES), *(digests.of_code(*fingerprint.MODULES, family) for family in families)

before = fingerprints()
for edited in sys.argv[1:]:
    with (digests.PACKAGE / edited).open("a") as file:
        file.write("\\n# edited\\n")
    after = fingerprints()
    print(edited, *(name for name, a, b in zip(("translations", "sam_b", "sam_lite"), before, after) if a != b))
    before = after
"""
EDITED = {
    "overlay.py": "",
    "resample.py": "",
    "paddlex/serving_result.py": "",
    "models/registry.py": "",
    "canvas.py": "translations sam_b sam_lite",  # a row's preset uses its types
    "image/jpeg.py": "sam_b sam_lite",
    "encoding.py": "sam_b sam_lite",
    "engines/pir_to_onnx.py": "translations sam_b sam_lite",
    "checkpoints/torch_file.py": "translations sam_b sam_lite",
    "sam/vit.py": "translations sam_b",
    "lite/image_encoder.py": "translations sam_lite",
    "lite/graphs/places.json": "translations sam_lite",
}


@pytest.mark.parametrize("engine", ["openvino", "paddle"])
def test_all_code_that_makes_an_embedding_is_in_its_fingerprint(engine: str) -> None:
    command = [sys.executable, "-c", ENCODE, engine, str(demo.PHOTO)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {Path(line) for line in ran.stdout.split()}
    assert len(loaded) > 20
    assert loaded <= set(digests.sources(*fingerprint.MODULES, models.find("SAM-Lite").family.load.__module__))


def test_an_edit_changes_exactly_the_fingerprints_that_depend_on_the_file(tmp_path: Path) -> None:
    shutil.copytree(digests.PACKAGE, tmp_path / "ovseg_core", ignore=shutil.ignore_patterns("weights", "__pycache__"))
    command = [sys.executable, "-P", "-c", EDIT, *EDITED]
    environment = {"PYTHONPATH": str(tmp_path), "PATH": ""}
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path)
    assert ran.stdout.splitlines() == [f"{file} {changed}".strip() for file, changed in EDITED.items()]


# They write inference models of PaddleX, and no translation.
OF_EXPORTS = {"export.py", "detector_export.py", "levels.py", "sine.py"}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_whole_folder_of_every_network_is_in_the_fingerprint_of_translations(name: str) -> None:
    folder = Path(sys.modules[NETWORKS[name].load.__module__].__file__ or "").parent
    assert folder.parent == digests.PACKAGE
    counted = set(digests.sources(*onnx_files.SOURCES))
    assert {path for path in folder.rglob("*.py") if path.name not in OF_EXPORTS} <= counted


def test_a_missing_module_is_an_error_and_not_an_empty_fingerprint() -> None:
    with pytest.raises(ValueError, match=r"there is no module ovseg_core\.lite\.famly in ovseg_core"):
        digests.of_code("ovseg_core.image", "ovseg_core.lite.famly")
