"""The graphs of SAM-Lite are shipped, so its first start needs no Paddle."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from ovseg_core import models, networks
from ovseg_core.engines import onnx_files
from ovseg_core.lite.family import GRAPHS, load_parts
from training import graphs

SPEC = models.find("SAM-Lite")

FIRST_START = """
import sys
import numpy as np
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter
segmenter = Segmenter.open("SAM-Lite", engine=sys.argv[1])
embedding = segmenter.encode(np.zeros((60, 80, 3), np.uint8))
segmenter.decode(embedding, [Prompt.of_box(10, 10, 40, 40), Prompt.of_point(20, 20)])
print(*{"paddle", "onnx", "onnx_ir", sys.argv[1]} & set(sys.modules))
"""


def test_the_shipped_graphs_equal_a_new_translation_of_the_layers(tmp_path: Path) -> None:
    """If this fails, the layers or their translation have changed: run `python -m training graphs`."""
    graphs.write(tmp_path)
    made, shipped = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (tmp_path, GRAPHS))
    assert made.keys() == shipped.keys() == {"encode.onnx", "locate.onnx", "mask.onnx", "places.json"}
    for name in made:
        assert made[name] == shipped[name], name


def test_filled_with_weights_the_graphs_equal_the_translated_network(tmp_path: Path) -> None:
    filled = onnx_files.paths(SPEC.network, SPEC.weights, lambda: load_parts(SPEC.weights), graphs=GRAPHS)
    onnx_files.translate(load_parts(SPEC.weights), tmp_path)
    for part, path in filled.items():
        # onnx_ir reads no hard links, and equal weights of several translations are links to one file.
        copy = shutil.copytree(path.parent, tmp_path / f"filled-{part}") / path.name
        ours, expected = (ir.load(file).graph.initializers for file in (copy, tmp_path / path.name))
        assert ours.keys() == expected.keys(), part
        for name in expected:
            ours_of, expected_of = ours[name].const_value, expected[name].const_value
            assert ours_of is not None
            assert expected_of is not None
            assert np.array_equal(ours_of.numpy(), expected_of.numpy()), name


@pytest.mark.parametrize("engine", [name for name in networks.engines(SPEC.network, "cpu") if name != "paddle"])
def test_a_first_start_imports_neither_paddle_nor_the_translator(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVSEG_ENGINES_DIR", str(tmp_path))
    ran = subprocess.run([sys.executable, "-c", FIRST_START, engine], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == [engine]


def test_the_shipped_graphs_contain_no_weights() -> None:
    assert sum(path.stat().st_size for path in GRAPHS.iterdir()) < 200_000
