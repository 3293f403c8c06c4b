"""An inference model of PaddleX's as a network.

The one network sees the image again with every prompt, and gives no predicted IoU: that is what PaddleX's files can do.
Meta's checkpoints of the same weights do more, and faster.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ovseg_core.candidates import Candidates
from ovseg_core.errors import OvsegError
from ovseg_core.network import DecodeBatch, Features, PromptBatch, image_by_image
from ovseg_core.paddle_inference.folder import PROMPT_TYPES, InferenceFolder
from ovseg_core.quiet_paddle import paddle

THREADS = 10  # as PaddleX sets it
GPU_MEMORY_MB = 200  # to begin with


class InferenceModel:
    """A network whose features are the canvas itself."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        """`device` is "cpu" or "gpu:N". Raises ValueError as `InferenceFolder.read`, and for a graph of other
        inputs."""
        self._folder = InferenceFolder.read(folder)
        self.canvas_size = self._folder.canvas_size
        config = paddle.inference.Config(str(self._folder.graph), str(self._folder.weights))
        kind, _, index = device.partition(":")
        if kind == "cpu":
            config.disable_gpu()
            config.disable_mkldnn()  # it crashed on this network, and was wrong on its decoder (Paddle 3.3)
            config.set_cpu_math_library_num_threads(THREADS)
        else:
            config.enable_use_gpu(GPU_MEMORY_MB, int(index or 0))
        config.enable_new_ir(True)  # also for an `inference.pdmodel`: the old one's passes spoil its masks (Paddle 3.3)
        config.enable_new_executor()
        config.set_optimization_level(3)
        config.enable_memory_optim()
        config.disable_glog_info()
        self._predictor = paddle.inference.create_predictor(config)
        # As PaddleX: by name, the image before the prompt.
        self._inputs = sorted(self._predictor.get_input_names())
        if len(self._inputs) != 2:
            raise ValueError(f"{folder} wants inputs {', '.join(self._inputs)}, not an image and a prompt")

    def encode(self, canvases: np.ndarray) -> list[Features]:
        """Nothing is computed yet."""
        return [(canvas,) for canvas in canvases]

    def decode(self, features: Features, prompts: PromptBatch, all_candidates: bool = False) -> Candidates:
        """One candidate for each prompt, its predicted IoU unknown (NaN).

        Raises OvsegError `invalid_prompt` for prompts that this network was not exported for.
        """
        kind, side = PROMPT_TYPES[self._folder.model_name], float(self.canvas_size)
        if kind == "box" and prompts.boxes is not None and prompts.points is None:
            logits = self._run(features[0], prompts.boxes)  # (N, 1, S/4, S/4)
        elif kind == "point" and prompts.boxes is None and prompts.points is not None and prompts.points.shape[1] == 1:
            logits = np.concatenate([self._run(features[0], point[None]) for point in prompts.points])
        else:
            knows = "a box for each object" if kind == "box" else "one point for each object"
            raise OvsegError("invalid_prompt", f"this inference model of PaddleX's knows {knows}, and nothing else")
        canvas = np.array([0, 0, side, side], np.float32)
        count = len(logits)
        return Candidates(logits, np.broadcast_to(canvas, (count, 1, 4)), np.full((count, 1), np.nan, np.float32))

    def decode_batch(self, batch: DecodeBatch, all_candidates: bool = False) -> list[Candidates]:
        """In one run for each image, which it encodes."""
        return image_by_image(self, batch, all_candidates)

    def _run(self, canvas: np.ndarray, prompt: np.ndarray) -> np.ndarray:
        for name, array in zip(self._inputs, (canvas[None], prompt), strict=True):
            self._predictor.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(array, np.float32))
        self._predictor.run()
        answer = self._predictor.get_output_handle(self._predictor.get_output_names()[0]).copy_to_cpu()
        return np.asarray(answer)
