"""Image encoders in int8: the bundled one, and how one is made and evaluated. Real photos and weights.

Making one needs NNCF, which is large: `make test-training` installs it.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import openvino as ov
import pytest
from click.testing import CliRunner
from PIL import Image

from ovseg.commands import main
from ovseg_core import models, quantization
from ovseg_core.embedding import Embedding
from ovseg_core.engines import int8
from ovseg_core.lite.family import encoder_graph
from ovseg_core.models import ModelSpec
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter
from tests.support import pictures

pytestmark = [
    pytest.mark.skipif(not int8.is_supported(), reason="this CPU has no VNNI"),
    pytest.mark.filterwarnings("ignore"),  # NNCF's own
]
HAS_NNCF = importlib.util.find_spec("nncf") is not None
needs_nncf = pytest.mark.skipif(not HAS_NNCF, reason="needs NNCF")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, view in enumerate(pictures.views()):
        Image.fromarray(view).save(folder / f"{i}.png")
    (folder / "notes.txt").write_text("not a photo")
    return folder


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    """Copy SAM-Lite to an empty folder, without its int8 encoder."""
    weights = tmp_path / "sam_lite.safetensors"
    weights.write_bytes(models.find("SAM-Lite").weights.read_bytes())
    return replace(models.find("SAM-Lite"), weights=weights)


@needs_nncf
def test_an_int8_encoder_is_made_evaluated_and_written_next_to_its_weights(spec: ModelSpec, photos: Path) -> None:
    with pytest.raises(ValueError, match=r"runs in float32.*, not in int8; int8 needs .* `ovseg models quantize`"):
        Segmenter.of(spec, "cpu", "openvino", "int8")
    agreement = quantization.quantize(spec, sorted(photos.glob("*.png")))
    assert quantization.MIN_IOU <= agreement.boxes < 1
    assert agreement.photos == 2
    assert Segmenter.of(spec, "cpu", "openvino", "int8").encode(pictures.views()[0]).features[0].any()
    assert sorted(path.name for path in spec.weights.parent.iterdir()) == [
        "photos",
        "sam_lite.int8.bin",
        "sam_lite.int8.xml",
        "sam_lite.safetensors",
    ]


@needs_nncf
def test_channels_are_scaled_before_they_are_quantized_and_sums_are_not_quantized(
    spec: ModelSpec, photos: Path
) -> None:
    """Both halve the errors of SAM-Lite's maps. NNCF ignores the first without a word if the model type is another."""
    quantization.make(Segmenter.of(spec, "cpu", "openvino"), spec.weights, sorted(photos.glob("*.png")))
    graph = ov.Core().read_model(int8.path(spec.weights))
    assert any("smooth_quant" in node.get_friendly_name() for node in graph.get_ops())
    sums = [node for node in graph.get_ops() if node.get_type_name() == "Add"]
    assert sums
    inputs = {value.get_node().get_type_name() for node in sums for value in node.input_values()}
    assert "FakeQuantize" not in inputs


@needs_nncf
def test_an_int8_encoder_that_changes_masks_is_not_kept(
    spec: ModelSpec, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantization, "MIN_IOU", 0.9999)
    with pytest.raises(ValueError, match=re.escape("at least 0.9999 is required, so nothing was written")):
        quantization.quantize(spec, sorted(photos.glob("*.png")))
    assert not int8.path(spec.weights).exists()


@pytest.mark.skipif(HAS_NNCF, reason="NNCF is installed")
def test_without_nncf_the_command_says_what_to_install(photos: Path) -> None:
    ran = CliRunner().invoke(main, ["models", "quantize", "SAM-Lite", "--photos", str(photos)])
    assert ran.exit_code == 1
    assert "No module named 'nncf'; pip install '.[int8]' in a checkout" in ran.output


def test_too_few_photos_and_networks_that_cannot_be_quantized_are_refused(spec: ModelSpec, photos: Path) -> None:
    with pytest.raises(ValueError, match="7 photos are too few; 8 are enough, 80 are better"):
        quantization.quantize(spec, sorted(photos.glob("*.png"))[:7])
    with pytest.raises(ValueError, match=r"SAM-H_box has no separate image encoder, .*; SAM-H can be"):
        quantization.quantize(models.find("SAM-H_box"), [])


def test_the_graph_that_is_quantized_has_all_weights_as_constants() -> None:
    """NNCF quantizes the weights of a convolution only then: otherwise the encoder is a third slower, and larger."""
    graph = encoder_graph("sam_lite", models.find("SAM-Lite").weights)
    convolutions = [node for node in graph.get_ops() if node.get_type_name().endswith("Convolution")]
    assert len(convolutions) == 67
    assert {node.input_value(1).get_node().get_type_name() for node in convolutions} == {"Constant"}


def test_an_int8_encoder_of_other_weights_is_refused(spec: ModelSpec) -> None:
    bundled = models.find("SAM-Lite").weights
    for ours, theirs in zip(int8.files(bundled), int8.files(spec.weights), strict=True):
        theirs.write_bytes(ours.read_bytes())
    graph = encoder_graph("sam_lite", bundled)
    int8.read(ov.Core(), spec.weights, graph)
    with spec.weights.open("ab") as file:
        file.write(b" ")
    with pytest.raises(ValueError, match=r"was not made from sam_lite.safetensors as it is now; make it again"):
        int8.read(ov.Core(), spec.weights, graph)


def test_an_int8_encoder_with_other_output_shapes_is_refused() -> None:
    weights = models.find("SAM-Lite").weights
    other_size = encoder_graph("sam_lite", weights)
    other_size.reshape([1, 3, 320, 320])
    with pytest.raises(ValueError, match=r"sam_lite.int8.xml was made by another version of ovseg; make it again"):
        int8.read(ov.Core(), weights, other_size)


def test_an_embedding_made_in_int8_is_decoded_as_any_other() -> None:
    """The parts that decode prompts are the same in both."""
    in_float32, in_int8 = Segmenter.open("SAM-Lite"), Segmenter.open("SAM-Lite", precision="int8")
    embedding = in_int8.encode(pictures.views()[0])
    assert isinstance(embedding, Embedding)
    [a], [b] = (s.decode(embedding, [Prompt.of_box(140, 10, 305, 180)]) for s in (in_float32, in_int8))
    assert a.counts == b.counts


def test_int8_encoders_with_different_weights_have_different_fingerprints(spec: ModelSpec) -> None:
    """Encoders that were made from the same weights with other photos have the same graph and other numbers."""
    for ours, theirs in zip(int8.files(models.find("SAM-Lite").weights), int8.files(spec.weights), strict=True):
        theirs.write_bytes(ours.read_bytes())
    before = Segmenter.of(spec, "cpu", "openvino", "int8").fingerprint
    assert before == Segmenter.open("SAM-Lite", precision="int8").fingerprint
    numbers, _ = int8.files(spec.weights)
    changed = bytearray(numbers.read_bytes())
    changed[-1] ^= 1
    numbers.write_bytes(changed)
    assert Segmenter.of(spec, "cpu", "openvino", "int8").fingerprint != before


def test_files_that_only_look_like_photos_are_not_counted(photos: Path) -> None:
    (photos / "._0.png").write_bytes(b"\x00\x05\x16\x07")
    (photos / "frames.png").mkdir()
    (photos / "7.png").unlink()
    ran = CliRunner().invoke(main, ["models", "quantize", "SAM-Lite", "--photos", str(photos)])
    assert ran.exit_code == 1
    assert "7 photos are too few" in ran.output
