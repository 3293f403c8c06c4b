"""A worker with SAM-Lite whose network answers each question once and remembers the answer.

After the first job, only the service's own work remains: also that of the device's thread, and of making a mask of the
network's answer.
"""

from __future__ import annotations

from typing import Any

from worker import run

run.let_opencv_rest()  # as in every worker, before the imports that follow

# ruff: noqa: E402
from configs.settings import Settings
from ovseg import log
from ovseg_core.candidates import Candidates
from ovseg_core.network import DecodeBatch, Features, PromptBatch
from ovseg_core.segmenter import Segmenter
from worker.inference.inference import Inference
from worker.worker_services import WorkerServices


class ReadyNetwork:
    """A network whose answers to earlier questions are ready."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self._answers: dict[Any, Candidates] = {}
        self.canvas_size = network.canvas_size

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def decode_batch(self, batch: DecodeBatch, multimask_output: bool | None = None) -> list[Candidates]:
        return [self._answer(features, prompts, multimask_output) for features, prompts in batch]

    def _answer(self, features: Features, prompts: PromptBatch, multimask_output: bool | None) -> Candidates:
        question = (
            id(features[0]),
            multimask_output,
            *(None if field is None else field.tobytes() for field in prompts),
        )
        if question not in self._answers:
            [self._answers[question]] = self._network.decode_batch([(features, prompts)], multimask_output)
        return self._answers[question]


def _open(*arguments: str) -> Segmenter:
    segmenter = Segmenter.open(*arguments)
    segmenter.network = ReadyNetwork(segmenter.network)
    return segmenter


if __name__ == "__main__":
    log.set_up()
    settings = Settings()
    inference = Inference("cpu", settings.engine, settings.precision, open_segmenter=_open)
    run.work(WorkerServices(settings, "cpu", inference), "cpu")
