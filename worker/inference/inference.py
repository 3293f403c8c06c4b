"""Segmenters whose networks run on the device's one thread. The jobs' own threads do the work before and after that."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import numpy as np

from ovseg_core import models, networks
from ovseg_core.candidates import Candidates
from ovseg_core.embedding import Embedding
from ovseg_core.errors import OvsegError
from ovseg_core.everything.search import Step
from ovseg_core.mask import Mask
from ovseg_core.models import ModelSpec
from ovseg_core.network import DecodeBatch, Features, PromptBatch
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter
from worker.inference.batcher import Answer, Batcher, BatchKey
from worker.inference.urgency import Urgency

log = logging.getLogger(__name__)

# On a CPU a batch of images takes as long as its images one by one, and the first image would wait for the last.
IMAGES_PER_BATCH = {"cpu": 1, "gpu": 4}
# Clicks of everything mode in one run of the mask decoder, which the calls of other jobs wait for. On a CPU 4 at a time
# take as long as 16 at a time (27 ms of CPU time each with SAM-Lite), and other jobs wait a quarter of the time.
CLICKS_PER_RUN = {"cpu": 4, "gpu": 16}
# Clicks of everything mode between two checks whether the job may continue. 64, the default of `points_per_batch`, take
# a second on a slow CPU. With more at a time the same masks are found.
POINTS_PER_STEP = 64
# Weights of at least this size: an encoding then takes many times the 30 ms that storing an embedding takes. SAM-Lite
# has 12 MB and MobileSAM 41 MB, and encode an image in 51 and 376 ms on two cores. The next larger models have 120 MB.
COSTLY_BYTES = 100_000_000
# Parts of the messages of OpenVINO, ONNX Runtime, OpenCV, C++ and CUDA. Paddle on a CPU raises MemoryError, as NumPy.
OUT_OF_MEMORY = ("failed to allocate", "bad_alloc", "bad allocation", "insufficient memory", "out of memory")


class Inference:
    """The models of a worker on its device. Callable from any thread.

    One thread loads and runs all networks, because Paddle binds a network to the thread that loads it. `encode` and
    `decode` also return the milliseconds that the network took, without the wait for that thread.
    """

    def __init__(
        self,
        device: str,
        engine: str,
        precision: str,
        thread: Batcher | None = None,
        open_segmenter: Callable[[str, str, str, str], Segmenter] = Segmenter.open,
    ) -> None:
        """Create an inference without models; each model is loaded when it is first used.

        Args:
            device: "cpu" or "gpu:N".
            engine: The engine for all models that it can run, or "auto".
            precision: The precision for all models that have it, or "auto".
            thread: Runs the networks; a new one by default.
            open_segmenter: Called with a model, a device, an engine and a precision.
        """
        self._device, self._engine, self._precision = device, engine, precision
        self._kind_of_device = device.partition(":")[0]
        self._thread = thread or Batcher("inference")
        self._open_segmenter = open_segmenter
        self._segmenters: dict[str, Segmenter] = {}

    @property
    def running_seconds(self) -> float:
        """The seconds that the device has been running its current batch; 0 while it is idle."""
        return self._thread.running_seconds

    @property
    def loaded(self) -> dict[str, tuple[str, str]]:
        """The engine and the precision of each model that was used."""
        return {name: (found.engine, found.precision) for name, found in dict(self._segmenters).items()}

    def encode(self, model: str, image_rgb: np.ndarray, urgency: Urgency = Urgency.NORMAL) -> tuple[Embedding, float]:
        segmenter, network = self._opened(model, urgency)
        return segmenter.encode(image_rgb), network.milliseconds

    def decode(
        self, embedding: Embedding, prompts: Sequence[Prompt], all_masks: bool = False
    ) -> tuple[list[list[Mask]], float]:
        """Return the best mask of each prompt, or all its masks with the best one first; and the milliseconds."""
        segmenter, network = self._opened(embedding.model, Urgency.PROMPTS)
        if all_masks:
            return segmenter.candidates(embedding, prompts), network.milliseconds
        return [[mask] for mask in segmenter.decode(embedding, prompts)], network.milliseconds

    def everything(
        self,
        embedding: Embedding,
        picture: Callable[[], np.ndarray],
        options: Mapping[str, Any],
        urgency: Urgency = Urgency.NORMAL,
    ) -> Iterator[tuple[Step, float]]:
        """Find all masks of an image. Calls of other jobs run between the runs of the network.

        Args:
            embedding: the embedding of the whole image.
            picture: reads the image: (H, W, 3) uint8. It is called only if the options have crops.
            options: as `Segmenter.everything` takes them.
            urgency: how urgent the job is.

        Returns:
            An iterator of what `Segmenter.everything` yields, at least every POINTS_PER_STEP clicks, and of the
            milliseconds that the network has taken until then.
        """
        segmenter, network = self._opened(embedding.model, urgency)
        points_per_step = segmenter.spec.preset.everything.changed(options).points_per_batch
        options = {**options, "points_per_batch": min(points_per_step, POINTS_PER_STEP)}
        network.prompts_at_once = min(network.prompts_at_once, CLICKS_PER_RUN[self._kind_of_device])
        for step in segmenter.everything(picture, embedding, **options):
            yield step, network.milliseconds

    def engine(self, model: str) -> tuple[str, str]:
        """Return the engine and the precision that a model runs in."""
        loaded = self._loaded(model)
        return loaded.engine, loaded.precision

    def weights_sha256(self, model: str) -> str:
        """Return `Segmenter.weights_sha256` of a model."""
        return self._loaded(model).weights_sha256

    def fingerprint(self, model: str) -> str:
        """Return `Segmenter.fingerprint` of a model."""
        return self._loaded(model).fingerprint

    def is_costly(self, model: str) -> bool:
        """True if encoding an image takes much longer than storing its embedding, judged by the model's weights."""
        return (models.resolved(model).installed_bytes or 0) >= COSTLY_BYTES

    def warm_up(self, model: str) -> None:
        """Load a model and run it once, so that no job waits for the first run of a network, which is slow."""
        embedding, _ = self.encode(model, np.zeros((64, 64, 3), np.uint8))
        for prompt in (Prompt.of_box(8, 8, 56, 56), Prompt.of_point(32, 32)):
            with suppress(OvsegError):  # each of PaddleX's inference models takes only one type of prompt
                self.decode(embedding, [prompt])

    def _opened(self, model: str, urgency: Urgency) -> tuple[Segmenter, _Queued]:
        """Return a segmenter for one call, and its network, which measures the milliseconds of that call."""
        loaded = self._loaded(model)
        network = _Queued(loaded, self._thread, IMAGES_PER_BATCH[self._kind_of_device], urgency)
        return Segmenter(loaded.spec, network, loaded.engine, loaded.precision), network

    def _loaded(self, model: str) -> Segmenter:
        if model not in self._segmenters:
            load: BatchKey[str, Segmenter] = BatchKey("load", self._load)
            self._thread(load, model, urgency=Urgency.NORMAL).result()
        return self._segmenters[model]

    def _load(self, names: Sequence[str]) -> list[Segmenter]:
        [model] = names
        if model not in self._segmenters:  # another call may have loaded the model while this one waited
            engine, precision = self._supported(models.resolved(model))
            segmenter = self._open_segmenter(model, self._device, engine, precision)
            log.info("model %s runs on %s (%s, %s)", model, self._device, segmenter.engine, segmenter.precision)
            self._segmenters[model] = segmenter
        return [self._segmenters[model]]

    def _supported(self, spec: ModelSpec) -> tuple[str, str]:
        """Return the configured engine and precision, or the defaults for a model that they do not support.

        A worker runs all models, but some engines cannot run some models, and some models lack some precisions.
        """
        engine = self._engine
        if networks.is_installed(engine) and engine not in ("auto", *networks.engines(spec.network, self._device)):
            log.warning("model %s cannot run in %s on %s, using the default engine", spec.name, engine, self._device)
            engine = "auto"
        engine = networks.choose_engine(spec.network, self._device, engine)
        if self._precision in ("auto", *networks.precisions(spec.network, spec.weights, self._device, engine)):
            return engine, self._precision
        where = f"{self._device} ({engine})"
        log.warning("model %s has no %s on %s, using float32", spec.name, self._precision, where)
        return engine, "float32"


class _Queued:
    """A network for one job's thread. Its calls wait for the device and may share a batch with calls of other jobs.

    `prompts_at_once` is the number of prompts that one call decodes at most; between two calls those of other jobs run.
    """

    def __init__(self, segmenter: Segmenter, thread: Batcher, images_per_batch: int, urgency: Urgency) -> None:
        self._network, self._thread, self._images_per_batch = segmenter.network, thread, images_per_batch
        self._urgency = urgency
        self._prompts_per_batch = self.prompts_at_once = segmenter.spec.preset.prompts_per_batch
        self.canvas_size = self._network.canvas_size
        self.milliseconds = 0.0

    def encode(self, canvases: np.ndarray) -> list[Features]:
        network = self._network

        def run(several: Sequence[np.ndarray]) -> list[Features]:
            return network.encode(np.stack(several))

        key = BatchKey((id(network), "encode"), run, self._images_per_batch)
        return self._answers([self._thread(key, canvas, urgency=self._urgency) for canvas in canvases])

    def decode(self, features: Features, prompts: PromptBatch, multimask_output: bool | None = None) -> Candidates:
        """Decode the prompts, at most `prompts_at_once` in one call.

        If memory runs out, decode half of that at a time, then half of that, down to one prompt.
        """
        answers: list[Candidates] = []
        done = 0
        while done < prompts.size:
            some = slice(done, done + self.prompts_at_once)
            part = PromptBatch(*(None if field is None else field[some] for field in prompts))
            try:
                answers += self.decode_batch([(features, part)], multimask_output)
            except Exception as error:
                if part.size == 1 or not is_out_of_memory(error):
                    raise
                self.prompts_at_once = part.size // 2
                log.warning("out of memory, continuing with %d prompts at a time: %s", self.prompts_at_once, error)
            else:
                done += part.size
        return Candidates.joined(answers)

    def decode_batch(self, batch: DecodeBatch, multimask_output: bool | None = None) -> list[Candidates]:
        network = self._network

        def run(several: DecodeBatch) -> list[Candidates]:
            return network.decode_batch(several, multimask_output)

        shape = tuple(None if field is None else field.shape[1:] for field in batch[0][1])
        key = BatchKey((id(network), "decode", shape, multimask_output), run, self._prompts_per_batch)
        calls = [self._thread(key, (features, prompts), prompts.size, self._urgency) for features, prompts in batch]
        return self._answers(calls)

    def _answers(self, calls: Sequence[Future[tuple[Answer, float]]]) -> list[Answer]:
        answers = [call.result() for call in calls]
        self.milliseconds = round(self.milliseconds + sum(milliseconds for _, milliseconds in answers), 2)
        return [answer for answer, _ in answers]


def is_out_of_memory(error: Exception) -> bool:
    """True if the device or the machine ran out of memory. Less work at a time may then succeed."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in OUT_OF_MEMORY)
