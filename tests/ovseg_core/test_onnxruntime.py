"""ONNX Runtime without a GPU: what it would request of a GPU, what is refused, and half precision on a CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from ovseg_core import networks
from ovseg_core.engines import onnx_files
from ovseg_core.quiet_paddle import paddle
from ovseg_core.sam import family
from ovseg_core.sam.parts import VARIANTS
from tests.support import sam_weights, small_sam
from tests.support.small_sam import WithoutDecoder

pytest.importorskip("onnxruntime")  # an optional extra
from ovseg_core.engines import in_onnxruntime

ENCODER, DECODER = Path("engines/encode.onnx"), Path("engines/decode.onnx")


class Doubled(paddle.nn.Layer):
    """Parts of one operation, which takes no time to translate."""

    def shapes(self) -> dict[str, tuple[tuple[int, ...], ...]]:
        return {"encode": ((2, 2),)}

    def encode(self, x: paddle.Tensor) -> paddle.Tensor:
        return x + x


def test_each_sam_in_the_table_of_networks_has_layers() -> None:
    assert VARIANTS.keys() == family.NETWORKS.keys()


@pytest.mark.parametrize("name", ["sam_lite", "mobile_sam", "sam_b"])
def test_on_a_cpu_it_can_run_a_network_but_openvino_is_preferred(name: str) -> None:
    assert networks.engines(name, "cpu") == ("openvino", "onnxruntime", "paddle")
    assert networks.choose_engine(name, "cpu", "onnxruntime") == "onnxruntime"


def test_a_network_that_it_cannot_run_is_refused() -> None:
    with pytest.raises(ValueError, match="the engine onnxruntime cannot run paddlex on cpu"):
        networks.choose_engine("paddlex", "cpu", "onnxruntime")


@pytest.mark.skipif(in_onnxruntime.has_cuda(), reason="this is the build for GPUs")
def test_the_build_for_cpus_is_refused_on_a_gpu_with_the_build_to_install() -> None:
    assert networks.engines("sam_b", "gpu:0") == ("paddle",)
    with pytest.raises(ValueError, match=r"on gpu:0; pip install '\.\[onnxruntime-gpu\]'"):
        networks.choose_engine("sam_b", "gpu:0", "onnxruntime")


@pytest.mark.skipif(in_onnxruntime.has_cuda(), reason="this is the build for GPUs")
def test_a_gpu_that_cannot_be_used_is_an_error_and_not_a_slow_cpu(tmp_path: Path) -> None:
    (tmp_path / "weights").touch()
    run = in_onnxruntime.runners("doubled", tmp_path / "weights", Doubled, "gpu:0", "float32")
    with pytest.raises(ValueError, match="cannot use CUDAExecutionProvider here; available: CPUExecutionProvider"):
        run["encode"](np.zeros((2, 2), np.float32))


def test_a_gpu_is_selected_by_its_index_with_the_cpu_as_fallback() -> None:
    requested = in_onnxruntime.providers("gpu:1", DECODER, "float32")
    assert requested == [("CUDAExecutionProvider", {"device_id": "1"}), ("CPUExecutionProvider", {})]


def test_tensorrt_runs_only_the_encoder_if_it_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tensorrt.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    (name, options), cuda, _ = in_onnxruntime.providers("gpu:1", ENCODER, "float16")
    assert (name, cuda[0]) == ("TensorrtExecutionProvider", "CUDAExecutionProvider")
    assert (options["device_id"], options["trt_fp16_enable"], options["trt_engine_cache_path"]) == ("1", "1", "engines")
    assert in_onnxruntime.providers("gpu:1", DECODER, "float16")[0][0] == "CUDAExecutionProvider"


def test_half_precision_changes_the_embedding_by_less_than_2_percent(tmp_path: Path) -> None:
    weights = tmp_path / "sam.safetensors"
    parts = small_sam.load(tmp_path, kind=WithoutDecoder)
    whole = in_onnxruntime.runners("encoder", weights, lambda: parts, "cpu", "float32")["encode"]
    half = in_onnxruntime.runners("encoder", weights, lambda: parts, "cpu", "float16")["encode"]
    [expected], [found] = whole(sam_weights.canvas()), half(sam_weights.canvas())
    assert found.dtype == np.float32
    assert 0 < np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


def test_the_files_of_a_part_contain_only_the_weights_of_the_part(tmp_path: Path) -> None:
    parts = small_sam.load(tmp_path)
    paths = onnx_files.paths("small", tmp_path / "sam.safetensors", lambda: parts)
    for path in paths.values():
        assert all(value.uses() for value in ir.load(path).graph.initializers.values())
    in_encoder = sum(weight.numpy().nbytes for weight in parts.image_encoder.parameters())
    in_all = sum(weight.numpy().nbytes for weight in parts.parameters())
    assert paths["encode"].with_suffix(".weights").stat().st_size < 1.1 * in_encoder < in_all


class Unknown(Doubled):
    """Parts with an operation that none of our networks has."""

    def encode(self, x: paddle.Tensor) -> paddle.Tensor:
        return x.tan()


def test_an_operation_without_a_translation_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "weights").touch()
    with pytest.raises(ValueError, match="Paddle's operation tan cannot be translated to ONNX"):
        onnx_files.paths("unknown", tmp_path / "weights", Unknown)
