"""The threads of jobs and the one thread of the device, with a network that has little memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from configs.settings import Settings
from ovseg_core import models, networks
from ovseg_core.candidates import Candidates
from ovseg_core.canvas import Frame
from ovseg_core.embedding import Embedding
from ovseg_core.engines import in_openvino
from ovseg_core.mask import Mask
from ovseg_core.network import DecodeBatch, Features, PromptBatch
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter
from worker.inference.batcher import Batcher, BatchKey
from worker.inference.inference import CLICKS_PER_RUN, Inference
from worker.inference.urgency import Urgency

SPEC = models.find("SAM-Lite")
EMBEDDING = Embedding("SAM-Lite", (np.zeros(1, np.float32),), Frame((64, 64), 64))
PROMPTS = [Prompt.of_box(x, 1, x + 10, 11) for x in range(50)]

# Errors that Paddle and OpenVINO have raised in practice.
PADDLE = MemoryError("(ResourceExhausted) Fail to alloc memory of 4398046511104 size, error code is 12.")
OPENVINO = RuntimeError(
    "Exception from src/inference/src/cpp/infer_request.cpp:224: Failed to allocate 4398046511104 bytes of memory"
)


@dataclass
class SmallNetwork:
    """The mask of a box is the box. Raises `error` for more than `room` prompts at a time."""

    room: int
    error: Exception
    canvas_size: int = 64
    batch_sizes: list[int] = field(default_factory=list)

    def encode(self, canvases: np.ndarray) -> list[Features]:
        return [(canvas,) for canvas in canvases]

    def decode(self, features: Features, prompts: PromptBatch, multimask_output: bool | None = None) -> Candidates:
        return self.decode_batch([(features, prompts)])[0]

    def decode_batch(self, batch: DecodeBatch, multimask_output: bool | None = None) -> list[Candidates]:
        self.batch_sizes.append(sum(prompts.size for _, prompts in batch))
        if self.batch_sizes[-1] > self.room:
            raise self.error
        return [_boxes(prompts) for _, prompts in batch]


def _boxes(prompts: PromptBatch) -> Candidates:
    assert prompts.boxes is not None
    count = prompts.size
    return Candidates(np.ones((count, 1, 8, 8), np.float32), prompts.boxes[:, None], np.ones((count, 1), np.float32))


def with_network(network: SmallNetwork, thread: Batcher | None = None) -> Inference:
    return Inference("cpu", "auto", "float32", thread, open_segmenter=lambda *_: Segmenter(SPEC, network, "none"))


def decode(network: SmallNetwork, prompts: Sequence[Prompt] = PROMPTS) -> list[Mask]:
    return [mask for [mask] in with_network(network).decode(EMBEDDING, prompts)[0]]


def boxes(prompts: Sequence[Prompt]) -> list[tuple[float, ...] | None]:
    return [prompt.box for prompt in prompts]


@pytest.mark.parametrize("error", [PADDLE, OPENVINO])
@pytest.mark.parametrize(("room", "sizes"), [(50, {16, 2}), (8, {16, 8, 2}), (3, {16, 8, 4, 2}), (1, {16, 8, 4, 2, 1})])
def test_if_memory_runs_out_fewer_prompts_are_decoded_at_a_time(room: int, sizes: set[int], error: Exception) -> None:
    network = SmallNetwork(room, error)
    assert [mask.box_xyxy for mask in decode(network)] == boxes(PROMPTS)
    assert set(network.batch_sizes) == sizes


def test_a_single_prompt_that_does_not_fit_in_memory_is_an_error() -> None:
    with pytest.raises(MemoryError):
        decode(SmallNetwork(0, PADDLE))


def test_any_other_error_is_not_retried_with_fewer_prompts() -> None:
    network = SmallNetwork(0, RuntimeError("a shape does not fit"))
    with pytest.raises(RuntimeError):
        decode(network)
    assert network.batch_sizes == [16]


def held(device: Batcher) -> threading.Event:
    """Keep the device busy until the event that is returned is set."""
    release, begun = threading.Event(), threading.Event()

    def hold(_: Sequence[None]) -> list[None]:
        begun.set()
        release.wait(30)
        return [None]

    device(BatchKey("hold", hold), None)
    assert begun.wait(30)
    return release


def test_jobs_that_wait_for_the_device_together_are_decoded_together() -> None:
    network, device = SmallNetwork(16, PADDLE), Batcher("inference")
    inference = with_network(network, device)
    inference.engine("SAM-Lite")  # loads the model
    release = held(device)
    with ThreadPoolExecutor(5) as jobs:
        answers = [jobs.submit(inference.decode, EMBEDDING, PROMPTS[n : n + 4]) for n in range(5)]
        while device.waiting < 5:
            threading.Event().wait(0.01)
        release.set()
        for n, answer in enumerate(answers):
            masks, milliseconds = answer.result(30)
            assert [mask.box_xyxy for [mask] in masks] == boxes(PROMPTS[n : n + 4])
            assert milliseconds >= 0
    assert network.batch_sizes == [16, 4]  # at most the model's `prompts_per_batch`


class Clicked(SmallNetwork):
    """Three masks for each click. Lets the device's first run wait for `release`, and records what each run decodes."""

    def __init__(self) -> None:
        super().__init__(1000, PADDLE)
        self.runs: list[str] = []
        self.begun, self.release = threading.Event(), threading.Event()

    def decode_batch(self, batch: DecodeBatch, multimask_output: bool | None = None) -> list[Candidates]:
        self.begun.set()
        self.release.wait(30)
        self.runs += ["boxes" if prompts.boxes is not None else "clicks" for _, prompts in batch]
        if batch[0][1].boxes is not None:
            return super().decode_batch(batch)
        return [_three_each(prompts.size) for _, prompts in batch]


def _three_each(count: int) -> Candidates:
    whole = np.tile(np.array([0, 0, 64, 64], np.float32), (count, 3, 1))
    return Candidates(np.full((count, 3, 16, 16), 9, np.float32), whole, np.ones((count, 3), np.float32))


def test_the_calls_of_other_jobs_run_between_the_batches_of_an_everything_job() -> None:
    network, device = Clicked(), Batcher("inference")
    inference = with_network(network, device)
    options = {"points_per_side": 16, "points_per_batch": 1024}
    with ThreadPoolExecutor(2) as jobs:
        everything = jobs.submit(lambda: list(inference.everything(EMBEDDING, no_picture, options)))
        network.begun.wait(30)
        other = jobs.submit(inference.decode, EMBEDDING, PROMPTS[:1])
        while not device.waiting:
            threading.Event().wait(0.01)
        network.release.set()
        assert len(other.result(30)[0]) == 1
        steps = [step for step, _ in everything.result(30)]
    first_clicks, refinement = 256 // CLICKS_PER_RUN["cpu"] - 1, 1
    assert network.runs == ["clicks", "boxes"] + ["clicks"] * (first_clicks + refinement)
    assert [step.points_done for step in steps] == [64, 128, 192, 256, 256, 256]  # a check of the job after each
    assert len(steps[-1].answers) == 1  # without duplicates


class Recorded(Clicked):
    """Also records the encoding of each image, which is black or white."""

    def encode(self, canvases: np.ndarray) -> list[Features]:
        self.runs += ["white" if canvas.mean() > 0 else "black" for canvas in canvases]
        return super().encode(canvases)


def test_prompts_are_decoded_first_then_images_are_encoded_and_everything_mode_runs_in_the_order_of_urgency() -> None:
    network, device = Recorded(), Batcher("inference")
    network.release.set()
    inference = with_network(network, device)
    inference.engine("SAM-Lite")  # loads the model
    release = held(device)
    options = {"points_per_side": 1}
    calls: list[Callable[[], object]] = [
        lambda: inference.encode("SAM-Lite", np.zeros((64, 64, 3), np.uint8), Urgency.BULK),
        lambda: list(inference.everything(EMBEDDING, no_picture, options, Urgency.NORMAL)),
        lambda: inference.encode("SAM-Lite", np.full((64, 64, 3), 255, np.uint8), Urgency.INTERACTIVE),
        lambda: inference.decode(EMBEDDING, PROMPTS[:1]),
    ]
    with ThreadPoolExecutor(4) as jobs:
        answers = []
        for count, call in enumerate(calls, 1):
            answers.append(jobs.submit(call))
            while device.waiting < count:
                threading.Event().wait(0.01)
        release.set()
        for answer in answers:
            answer.result(30)
    assert network.runs[:3] == ["boxes", "white", "clicks"]
    assert "black" in network.runs[3:]


def no_picture() -> np.ndarray:
    raise AssertionError("without crops no pixels are needed")


def test_a_model_that_the_worker_s_engine_cannot_run_uses_the_default_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    row = replace(SPEC.family, engines=("openvino", "paddle"))
    monkeypatch.setitem(networks.NETWORKS, SPEC.network, row)
    assert Inference("cpu", "onnxruntime", "float32").engine("SAM-Lite") == ("openvino", "float32")


def test_a_model_that_lacks_the_worker_s_precision_runs_in_float32_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert Inference("cpu", "paddle", "int8").engine("SAM-Lite") == ("paddle", "float32")
    assert "model SAM-Lite has no int8 on cpu (paddle), using float32" in caplog.text


def test_a_worker_runs_in_bfloat16_if_the_cpu_has_it_and_in_float32_if_that_is_set() -> None:
    fastest = "bfloat16" if "bfloat16" in in_openvino.precisions() else "float32"
    assert Inference("cpu", "auto", Settings().precision).engine("SAM-Lite") == ("openvino", fastest)
    assert Inference("cpu", "auto", "float32").engine("SAM-Lite") == ("openvino", "float32")


def test_whether_a_model_is_costly_depends_on_its_weights_and_not_on_the_load_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    inference = Inference("cpu", "auto", "float32")
    found = {}
    for name, size in (("SAM-Lite", None), ("MobileSAM", 40_728_226), ("SAM-B", 375_042_383)):
        if size is not None:
            with models.find(name).weights.open("wb") as file:
                file.truncate(size)
        found[name] = inference.is_costly(name)
    assert found == {"SAM-Lite": False, "MobileSAM": False, "SAM-B": True}
