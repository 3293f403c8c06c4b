"""A small Grounding DINO and MM-Grounding-DINO on every engine, compared with the original implementations.

See tests/support/small_grounding_dino.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ovseg_core import checkpoints
from ovseg_core.engines import onnx_files
from ovseg_core.grounding_dino import checkpoint, loading, proposals, text
from ovseg_core.grounding_dino.parts import ImageParts
from ovseg_core.grounding_dino.shape import SHAPES as PUBLIC_SHAPES
from tests.support import small_grounding_dino, torch_files
from tests.support.small_grounding_dino import CANVAS_HW, IDEA_SHAPE, PHRASES, SHAPES

COUNT = len(small_grounding_dino.tokens())  # the texts here are padded, those of the originals are not


def reference(network: str) -> dict[str, np.ndarray]:
    with np.load(small_grounding_dino.REFERENCE) as file:
        return {key.removeprefix(f"{network}_"): file[key] for key in file if key.startswith(f"{network}_")}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {network: small_grounding_dino.file(network, tmp_path_factory.mktemp(network)) for network in SHAPES}


def close(found: np.ndarray, expected: np.ndarray) -> bool:
    assert found.shape == expected.shape
    return bool(np.abs(found - expected).max() < 1e-4 * np.abs(expected).max())


# The graph of size B has the same operations as that of size T.
ON_ENGINES = [
    *((engine, name) for engine in ("paddle", "openvino", "onnxruntime") for name in list(SHAPES)[:2]),
    ("paddle", "grounding_dino_b"),
]


@pytest.mark.parametrize(("engine", "network"), ON_ENGINES)
def test_every_part_agrees_with_that_of_transformers(engine: str, network: str, weights: dict[str, Path]) -> None:
    if engine != "paddle":
        pytest.importorskip(engine)  # an optional extra
    shape, expected = SHAPES[network], reference(network)
    run = small_grounding_dino.on(engine, shape, weights[network])
    found = small_grounding_dino.detected(run, shape.channels, shape.queries)
    assert close(found["image"][::2, ::2], expected["image"])
    assert close(found["text"][:COUNT], expected["text"])
    assert close(found["fused_image"][::2, ::2], expected["fused_image"])
    assert close(found["fused_text"][:COUNT], expected["fused_text"])
    assert close(found["scores"], expected["scores"])
    chosen, of_transformers = (proposals.chosen(x["scores"], shape.queries) for x in (found, expected))
    assert np.array_equal(chosen, of_transformers)
    assert close(found["logits"][:, :COUNT], expected["logits"])
    assert (found["logits"][:, COUNT:] < -1e8).all()
    assert np.abs(found["boxes"] - expected["boxes"]).max() < 1e-4


def test_translations_for_two_sizes_of_canvas_store_the_weights_once(
    weights: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVSEG_ENGINES_DIR", str(tmp_path))
    file, shape = weights["grounding_dino"], SHAPES["grounding_dino"]
    wide, high = (
        onnx_files.paths(f"net-{hw[0]}", file, lambda hw=hw: loading.image_parts(shape, file, hw))  # type: ignore[misc]
        for hw in (CANVAS_HW, CANVAS_HW[::-1])
    )
    assert wide.keys() == high.keys() == {"encode", "fuse", "decode"}
    for part in wide:
        assert wide[part].read_bytes() != high[part].read_bytes()
        assert wide[part].with_suffix(".weights").samefile(high[part].with_suffix(".weights")), part


@pytest.mark.parametrize("network", SHAPES)
def test_the_reference_distinguishes_queries_tokens_and_positions(network: str) -> None:
    expected = reference(network)
    assert (expected["boxes"].std(axis=0) > 0.05).all()
    assert (expected["logits"].std(axis=0) > 0.1).all()
    assert (expected["logits"].std(axis=1) > 0.1).any()
    assert (expected["fused_image"].std(axis=0) > 0.01).all()


def test_the_texts_here_are_the_padded_texts_of_the_reference() -> None:
    asked = text.of(PHRASES)
    assert asked.tokens[:COUNT].tolist() == small_grounding_dino.tokens()
    assert len(asked.tokens) > COUNT


# From names of BERT in `transformers`, which IDEA's files have, to those of PaddleNLP
PADDLE_NLP = {
    "encoder.layer.": "encoder.layers.",
    "embeddings.LayerNorm": "embeddings.layer_norm",
    "attention.self.query": "self_attn.q_proj",
    "attention.self.key": "self_attn.k_proj",
    "attention.self.value": "self_attn.v_proj",
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}
NOT_LINEAR = ("embedding", "embed.weight", "level_embed", "bias_table", "position_index")


def idea_arrays() -> dict[str, np.ndarray]:
    with np.load(small_grounding_dino.IDEA_REFERENCE) as file:
        rows = [row.split() for row in file["names"]]
    return {name: small_grounding_dino.idea_array(name, tuple(map(int, shape))) for name, *shape in rows}


def paddle_nlp_name(name: str) -> str:
    for old, new in PADDLE_NLP.items() if name.startswith("bert.") else ():
        name = name.replace(old, new)
    return name


def idea_file(folder: Path) -> Path:
    arrays = {f"module.{name}": array for name, array in idea_arrays().items()}
    arrays["module.label_enc.weight"] = np.zeros((3, 256), np.float32)  # of the training; the public files have it
    return torch_files.torch_zip(folder / "groundingdino.pth", *torch_files.as_torch(arrays), wrap="model")


def paddle_nlp_file(folder: Path) -> Path:
    return paddlemix_file(folder, paddle_nlp_name)


def paddlemix_file(folder: Path, renamed: Callable[[str], str] = str) -> Path:
    """Write the names and layouts of PaddleMIX's own network, whose BERT has the names of `transformers`."""
    from ovseg_core.quiet_paddle import paddle

    tensors = {}
    for name, array in idea_arrays().items():
        is_linear = array.ndim == 2 and not any(part in name for part in NOT_LINEAR)
        tensors[renamed(name)] = paddle.to_tensor(array.T if is_linear else array)
    path = folder / "model_state.pdparams"
    paddle.save(tensors, str(path))
    return path


@pytest.mark.parametrize("write", [idea_file, paddlemix_file, paddle_nlp_file])
def test_files_of_idea_and_paddlemix_are_read_and_agree_with_idea_s_network(write: object, tmp_path: Path) -> None:
    assert callable(write)
    run = small_grounding_dino.on("paddle", IDEA_SHAPE, write(tmp_path))
    found = small_grounding_dino.detected(run, IDEA_SHAPE.channels, IDEA_SHAPE.queries)
    with np.load(small_grounding_dino.IDEA_REFERENCE) as expected:
        assert close(found["logits"][:, :COUNT], expected["logits"])
        assert np.abs(found["boxes"] - expected["boxes"]).max() < 1e-4
        assert (expected["boxes"].std(axis=0) > 0.05).all()


def test_a_file_that_lacks_a_parameter_is_refused_with_its_name(weights: dict[str, Path], tmp_path: Path) -> None:
    arrays = load_file(weights["grounding_dino"])
    del arrays["model.enc_output.bias"]
    save_file(arrays, tmp_path / "a.safetensors")
    shape = SHAPES["grounding_dino"]
    found = checkpoint.image(checkpoint.read(tmp_path / "a.safetensors", shape))
    with pytest.raises(ValueError, match=r"missing proposals\.out\.bias"):
        checkpoints.fill(ImageParts(shape, CANVAS_HW), found)


def test_a_file_with_a_copy_of_each_box_head_is_read_as_one_without(weights: dict[str, Path], tmp_path: Path) -> None:
    """Older versions of transformers wrote the copies."""
    arrays = load_file(weights["mm_grounding_dino"])
    arrays |= {f"model.decoder.{name}": array for name, array in arrays.items() if name.startswith("bbox_embed.")}
    save_file(arrays, tmp_path / "a.safetensors")
    shape = SHAPES["mm_grounding_dino"]
    found, expected = (
        checkpoint.read(p, shape).arrays for p in (tmp_path / "a.safetensors", weights["mm_grounding_dino"])
    )
    assert found.keys() == expected.keys()


def test_a_shape_exists_for_each_public_network_that_the_small_ones_stand_for() -> None:
    small, public = SHAPES.values(), PUBLIC_SHAPES.values()
    assert [(shape.is_mm, shape.window) for shape in small] == [(shape.is_mm, shape.window) for shape in public]
