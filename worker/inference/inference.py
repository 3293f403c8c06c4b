"""Segmenters whose networks run on the device's one thread, while the jobs' own threads do what is before and after."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress

import numpy as np

from ovseg_core import models, networks
from ovseg_core.candidates import Candidates
from ovseg_core.embedding import Embedding
from ovseg_core.errors import OvsegError
from ovseg_core.mask import Mask
from ovseg_core.models import ModelSpec
from ovseg_core.network import DecodeBatch, Features, PromptBatch
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter
from worker.inference.batcher import Answer, Batcher, BatchKey

log = logging.getLogger(__name__)

# On a CPU a batch takes as long as its images one by one, and the first would wait for the last.
IMAGES_PER_BATCH = {"cpu": 1, "gpu": 4}
# What OpenVINO, ONNX Runtime and OpenCV, C++ and CUDA say. Paddle on a CPU raises MemoryError, as NumPy does.
OUT_OF_MEMORY = ("failed to allocate", "bad_alloc", "bad allocation", "insufficient memory", "out of memory")


class Inference:
    """Models on a device. Callable from any thread; networks are loaded and run by one, which Paddle binds them to.

    `encode` and `decode` also return how many milliseconds of the network's time they took, without the wait for it.
    """

    def __init__(
        self,
        device: str,
        engine: str,
        precision: str,
        thread: Batcher | None = None,
        open_segmenter: Callable[[str, str, str, str], Segmenter] = Segmenter.open,
    ) -> None:
        """`open_segmenter` takes a model, a device, an engine and a precision."""
        self._device, self._engine, self._precision = device, engine, precision
        self._images_per_batch = IMAGES_PER_BATCH[device.partition(":")[0]]
        self._thread = thread or Batcher("inference")
        self._open_segmenter = open_segmenter
        self._segmenters: dict[str, Segmenter] = {}

    @property
    def running_seconds(self) -> float:
        """How long the device has been at its present task; 0 while it is idle."""
        return self._thread.running_seconds

    def encode(self, model: str, image_rgb: np.ndarray) -> tuple[Embedding, float]:
        segmenter, network = self._opened(model)
        return segmenter.encode(image_rgb), network.milliseconds

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> tuple[list[Mask], float]:
        segmenter, network = self._opened(embedding.model)
        return _within_memory(segmenter, embedding, prompts), network.milliseconds

    def engine(self, model: str) -> tuple[str, str]:
        """What runs a model, and in which precision."""
        loaded = self._loaded(model)
        return loaded.engine, loaded.precision

    def fingerprint(self, model: str) -> str:
        """`Segmenter.fingerprint` of a model."""
        return self._loaded(model).fingerprint

    def warm_up(self, model: str) -> None:
        """Load a model and run it once: the first run of a network is slow, and should not be a caller's."""
        embedding, _ = self.encode(model, np.zeros((64, 64, 3), np.uint8))
        for prompt in (Prompt.of_box(8, 8, 56, 56), Prompt.of_point(32, 32)):
            with suppress(OvsegError):  # one of PaddleX's inference models knows one type of prompt
                self.decode(embedding, [prompt])

    def _opened(self, model: str) -> tuple[Segmenter, _Queued]:
        """For one call from one thread."""
        loaded = self._loaded(model)
        network = _Queued(loaded, self._thread, self._images_per_batch)
        return Segmenter(loaded.spec, network, loaded.engine, loaded.precision), network

    def _loaded(self, model: str) -> Segmenter:
        if model not in self._segmenters:
            load: BatchKey[str, Segmenter] = BatchKey("load", self._load)
            self._thread(load, model).result()
        return self._segmenters[model]

    def _load(self, names: Sequence[str]) -> list[Segmenter]:
        [model] = names
        if model not in self._segmenters:  # whoever was first
            engine, precision = self._able(models.resolved(model))
            segmenter = self._open_segmenter(model, self._device, engine, precision)
            log.info("%s runs on %s (%s, %s)", model, self._device, segmenter.engine, segmenter.precision)
            self._segmenters[model] = segmenter
        return [self._segmenters[model]]

    def _able(self, spec: ModelSpec) -> tuple[str, str]:
        """The engine and the precision that were asked for, or else the usual ones: not every engine runs each model,
        and not every model has each precision, but a worker runs them all."""
        engine = self._engine
        if networks.is_installed(engine) and engine not in ("auto", *networks.engines(spec.network, self._device)):
            log.warning("%s cannot run %s on %s", engine, spec.name, self._device)
            engine = "auto"
        engine = networks.choose_engine(spec.network, self._device, engine)
        if self._precision in ("auto", *networks.precisions(spec.network, spec.weights, self._device, engine)):
            return engine, self._precision
        log.warning("%s has no %s on %s (%s); it runs in float32", spec.name, self._precision, self._device, engine)
        return engine, "float32"


class _Queued:
    """A network as one job's thread sees it: its calls wait for the device, and run together with those of others."""

    def __init__(self, segmenter: Segmenter, thread: Batcher, images_per_batch: int) -> None:
        self._network, self._thread, self._images_per_batch = segmenter.network, thread, images_per_batch
        self._prompts_per_batch = segmenter.spec.preset.prompts_per_batch
        self.canvas_size = self._network.canvas_size
        self.milliseconds = 0.0

    def encode(self, canvases: np.ndarray) -> list[Features]:
        network = self._network

        def run(several: Sequence[np.ndarray]) -> list[Features]:
            return network.encode(np.stack(several))

        key = BatchKey((id(network), "encode"), run, self._images_per_batch)
        return self._answers([self._thread(key, canvas) for canvas in canvases])

    def decode(self, features: Features, prompts: PromptBatch, all_candidates: bool = False) -> Candidates:
        [candidates] = self.decode_batch([(features, prompts)], all_candidates)
        return candidates

    def decode_batch(self, batch: DecodeBatch, all_candidates: bool = False) -> list[Candidates]:
        network = self._network

        def run(several: DecodeBatch) -> list[Candidates]:
            return network.decode_batch(several, all_candidates)

        shape = tuple(None if field is None else field.shape[1:] for field in batch[0][1])
        key = BatchKey((id(network), "decode", shape, all_candidates), run, self._prompts_per_batch)
        return self._answers([self._thread(key, each, each[1].size) for each in batch])

    def _answers(self, calls: Sequence[Future[tuple[Answer, float]]]) -> list[Answer]:
        answers = [call.result() for call in calls]
        self.milliseconds = round(self.milliseconds + sum(milliseconds for _, milliseconds in answers), 2)
        return [answer for answer, _ in answers]


def _within_memory(segmenter: Segmenter, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Mask]:
    """Decode them all; where memory runs out, half a batch at a time, then half of that, down to one prompt."""
    masks: list[Mask] = []
    at_once = len(prompts)
    while len(masks) < len(prompts):
        try:
            masks += segmenter.decode(embedding, prompts[len(masks) : len(masks) + at_once])
        except Exception as error:
            if at_once == 1 or not is_out_of_memory(error):
                raise
            at_once = min(at_once, segmenter.spec.preset.prompts_per_batch) // 2
            log.warning("out of memory; going on with %d prompts at a time: %s", at_once, error)
    return masks


def is_out_of_memory(error: Exception) -> bool:
    """Whether it is a want of memory, of the device or of the machine, that less work at a time may cure."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in OUT_OF_MEMORY)
