"""SAM-Lite on each engine, compared with training's network with the same weights (tests/support/lite_prompts.py)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ovseg_core import canvas, image, models, networks
from ovseg_core.canvas import Frame
from ovseg_core.engines import in_onnxruntime
from ovseg_core.errors import OvsegError
from ovseg_core.lite import geometry, regions
from ovseg_core.lite.family import load_parts
from ovseg_core.lite.shape import CANVAS, MASK_CELLS, STRIDES
from ovseg_core.network import Features, Network, PromptBatch
from ovseg_core.segmenter import Segmenter
from tests.support import lite_prompts
from tests.support.lite_prompts import PROMPTS
from tests.support.torch_files import as_torch, torch_zip

SPEC = models.find("SAM-Lite")
ENGINES = ("openvino", "onnxruntime", "paddle")


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(lite_prompts.REFERENCE) as file:
        return dict(file)


@pytest.fixture(scope="module", params=ENGINES)
def network(request: pytest.FixtureRequest) -> Network:
    return networks.load(SPEC.network, SPEC.weights, "cpu", request.param, "float32")


@pytest.fixture(scope="module")
def features(network: Network) -> Features:
    photo = image.decode(lite_prompts.PHOTO.read_bytes(), 10**8)
    frame = Frame(photo.shape[:2], CANVAS)
    return network.encode(canvas.draw(photo, frame, SPEC.preset.mean, SPEC.preset.std))[0]


def test_the_maps_of_an_image_agree_with_the_reference(features: Features, reference: dict[str, np.ndarray]) -> None:
    for i, found in enumerate(features):
        expected = reference[f"map{i}"]
        assert np.abs(found[::8, ::4, ::4] - expected).max() < 1e-3
        assert np.abs(expected).max() > 1  # else two arrays of zeros would agree


def test_the_maps_of_an_image_do_not_depend_on_its_batch(network: Network) -> None:
    canvases = np.random.default_rng(0).standard_normal((2, 3, CANVAS, CANVAS)).astype(np.float32)
    together = network.encode(canvases)
    for i, one in enumerate(together):
        [alone] = network.encode(canvases[i : i + 1])
        assert all(np.abs(a - b).max() < 1e-3 for a, b in zip(one, alone, strict=True))


@pytest.mark.parametrize("kind", PROMPTS)
def test_logits_and_iou_agree_with_the_reference(
    network: Network, features: Features, reference: dict[str, np.ndarray], kind: str
) -> None:
    answer = network.decode(features, PROMPTS[kind], multimask_output=True)
    logits, iou = reference[f"{kind}_logits"], reference[f"{kind}_iou"]
    assert answer.iou.shape[1] == (3 if PROMPTS[kind].boxes is None else 1)
    assert np.abs(answer.logits[..., ::2, ::2].reshape(logits.shape) - logits).max() < 1e-3
    assert np.abs(answer.iou.reshape(iou.shape) - iou).max() < 1e-3
    assert np.abs(logits).max() > 3


def test_candidates_that_are_not_likely_enough_are_left_out_and_the_others_stay_the_same(
    network: Network, features: Features
) -> None:
    points = np.array([[[100, 120]], [[320, 200]], [[480, 500]]], np.float32)
    clicks = PromptBatch(points=points, labels=np.ones((3, 1), np.float32))
    every = network.decode(features, clicks, multimask_output=True)
    limit = np.sort(every.iou, axis=None)[4:6].mean()
    likely = network.decode(features, clicks._replace(min_iou=np.full(3, limit)), multimask_output=True)
    assert np.abs(likely.iou - every.iou).max() < 1e-5
    is_likely = every.iou > limit
    assert is_likely.sum() == 4
    assert np.abs(likely.logits[is_likely] - every.logits[is_likely]).max() < 1e-3
    assert np.isneginf(likely.logits[~is_likely]).all()
    nothing = network.decode(features, clicks._replace(min_iou=np.ones(3)), multimask_output=True)
    assert np.isneginf(nothing.logits).all()


def test_the_best_candidate_of_a_click_has_the_highest_predicted_iou(network: Network, features: Features) -> None:
    several, best = (network.decode(features, PROMPTS["click"], multimask_output=choice) for choice in (True, False))
    assert best.iou.shape == (2, 1)
    for n in range(2):
        i = int(several.iou[n].argmax())
        assert best.iou[n, 0] == several.iou[n, i]
        assert np.abs(best.logits[n, 0] - several.logits[n, i]).max() < 1e-3
        assert (best.regions[n, 0] == several.regions[n, i]).all()


@pytest.mark.parametrize(
    "boxes",
    [
        [[140, 10, 305, 180]],
        [[0, 0, 8, 8]],  # its region begins above and left of the canvas
        [[600, 500, 640, 640]],
        [[0, 0, 640, 640]],
        [[270.3, 260.9, 290.2, 275.1]],
        [[10, 400, 60, 420], [300, 10, 320, 60]],
    ],
)
def test_a_region_is_sampled_with_triangles_that_are_zero_outside_the_map(boxes: list[list[float]]) -> None:
    around = regions.around(np.array(boxes, np.float32))
    for stride, size in zip(STRIDES, MASK_CELLS, strict=True):
        features = np.random.default_rng(0).standard_normal((3, CANVAS // stride, CANVAS // stride)).astype(np.float32)
        found = geometry.sampled(features, around, size, stride)
        for (x0, y0, x1, y1), of_region in zip(around, found, strict=True):
            rows, columns = triangles(y0, y1, size, stride), triangles(x0, x1, size, stride)
            assert np.abs(of_region - rows @ features @ columns.T).max() < 1e-4


def triangles(low: float, high: float, size: int, stride: int) -> np.ndarray:
    """Return weights (size, cells of the map)."""
    cell = (high - low) / size
    centres = (low + (np.arange(size) + 0.5) * cell - geometry.CONV_CENTRE) / stride
    width = max(cell / stride, 1)
    distance = np.abs(centres[:, None] - np.arange(CANVAS // stride))
    weights: np.ndarray = np.maximum(1 - distance / width, 0) / width
    return weights


Change = Callable[[dict[str, np.ndarray]], object]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda arrays: arrays.pop("image_encoder.stem.bias"), "image_encoder.stem.bias"),
        (lambda arrays: arrays.update({"spare": np.zeros(1, np.float32)}), "unknown spare"),
    ],
)
def test_a_checkpoint_with_missing_or_unknown_parameters_is_refused_with_their_names(
    tmp_path: Path, engine: str, change: Change, complaint: str
) -> None:
    arrays = load_file(SPEC.weights)
    change(arrays)
    save_file(arrays, tmp_path / "broken.safetensors")
    with pytest.raises(ValueError, match=complaint):
        networks.load(SPEC.network, tmp_path / "broken.safetensors", "cpu", engine, "float32")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_parameter_of_another_shape_is_refused(tmp_path: Path, engine: str) -> None:
    arrays = load_file(SPEC.weights)
    arrays["mask_head.out.bias"] = np.zeros(7, np.float32)
    save_file(arrays, tmp_path / "broken.safetensors")
    with pytest.raises(ValueError, match=r"mask_head.out.bias is \(7,\), the network needs \(1,\)"):
        networks.load(SPEC.network, tmp_path / "broken.safetensors", "cpu", engine, "float32")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_checkpoint_of_your_own_runs_on_every_engine(
    tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint is a float32 file of PyTorch with the bundled weights, except that all logits are 1 higher."""
    arrays = {name: array.astype(np.float32) for name, array in load_file(SPEC.weights).items()}
    arrays["mask_head.out.bias"] += 1
    torch_zip(tmp_path / "ours.pth", *as_torch(arrays))
    (tmp_path / "models.yaml").write_text("SAM-Lite-ours: {network: sam_lite, file: ours.pth, licence: ours}")
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("OVSEG_MODELS_YAML", str(tmp_path / "models.yaml"))
    ours, bundled = (Segmenter.open(name, "cpu", engine).network for name in ("SAM-Lite-ours", "SAM-Lite"))
    [features] = ours.encode(np.zeros((1, 3, CANVAS, CANVAS), np.float32))
    logits = [network.decode(features, PROMPTS["box"]).logits for network in (ours, bundled)]
    assert np.abs(logits[0] - logits[1] - 1).max() < 1e-3


def test_half_precision_changes_the_maps_by_less_than_2_percent() -> None:
    """ONNX Runtime runs half precision on GPUs; here it runs on the CPU."""
    canvases = np.random.default_rng(0).standard_normal((1, 3, CANVAS, CANVAS)).astype(np.float32)
    ways = [
        in_onnxruntime.runners(SPEC.network, SPEC.weights, lambda: load_parts(SPEC.weights), "cpu", precision)
        for precision in ("float32", "float16")
    ]
    for expected, found in zip(*(way["encode"](canvases) for way in ways), strict=True):
        assert found.dtype == np.float32
        assert 0 < np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


def test_an_unknown_model_is_refused_with_the_available_names() -> None:
    with pytest.raises(OvsegError, match="available: SAM-Lite, "):
        models.find("SAM-XXL")


@pytest.mark.parametrize(
    ("name", "device", "engine", "chosen"),
    [
        ("sam_lite", "cpu", "auto", "openvino"),
        ("sam_lite", "cpu", "onnxruntime", "onnxruntime"),
        ("sam_lite", "cpu", "paddle", "paddle"),
        ("sam_lite", "gpu:0", "auto", "paddle"),
        ("sam_h", "cpu", "auto", "openvino"),
        ("paddlex", "cpu", "auto", "paddle"),
    ],
)
def test_the_engine_depends_on_the_device_and_the_model(name: str, device: str, engine: str, chosen: str) -> None:
    assert networks.choose_engine(name, device, engine) == chosen


def test_an_engine_that_cannot_run_the_model_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot run sam_lite on gpu:0"):
        networks.choose_engine("sam_lite", "gpu:0", "openvino")
    with pytest.raises(ValueError, match="available: auto, openvino, onnxruntime, paddle"):
        networks.choose_engine("sam_lite", "cpu", "tensorrt")


def test_the_bundled_weights_are_below_16_mb() -> None:
    assert SPEC.weights.stat().st_size < 16_000_000
