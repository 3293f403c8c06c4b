"""PaddleX's inference models, SAM-H_box and SAM-H_point: encoder and decoder as one network for Paddle Inference.

A folder holds `inference.json` (or `inference.pdmodel`), `inference.pdiparams` and `inference.yml`. The one network
sees the image again with every prompt, and tells no predicted IoU: that is what PaddleX's files can do. Meta's
checkpoints of the same weights do more, and faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from ovseg_core.candidates import Candidates
from ovseg_core.errors import OvsegError
from ovseg_core.networks import Asked, Features, Together, image_by_image

GRAPHS = ("inference.json", "inference.pdmodel")  # Paddle 3's and Paddle 2's
WEIGHTS, ABOUT = "inference.pdiparams", "inference.yml"
PROMPT_TYPES = {"SAM-H_box": "box", "SAM-H_point": "point"}
CANVAS = 1024
THREADS = 10  # as PaddleX sets it
GPU_MEMORY_MB = 200  # to begin with


@dataclass(frozen=True)
class About:
    """What `inference.yml` says."""

    graph: Path
    weights: Path
    model_name: str  # one of PROMPT_TYPES
    canvas_size: int

    @classmethod
    def of(cls, folder: Path) -> About:
        """Raises ValueError for a folder that is not such a model, and says what it lacks."""
        missing = [name for name in (ABOUT, WEIGHTS) if not (folder / name).is_file()]
        graphs = [folder / name for name in GRAPHS if (folder / name).is_file()]
        if missing or not graphs:
            raise ValueError(f"{folder} is not a PaddleX inference model: it has no {(missing or GRAPHS)[0]}")
        about = yaml.safe_load((folder / ABOUT).read_text())
        name = about.get("Global", {}).get("model_name")
        if name not in PROMPT_TYPES:
            raise ValueError(f"{folder / ABOUT}: Global.model_name is {name!r}, not {' or '.join(PROMPT_TYPES)}")
        size = about.get("Processor", {}).get("size", CANVAS)
        return cls(graphs[0], folder / WEIGHTS, name, int(size))


class WholeSam:
    """A network whose features are the canvas itself."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        """`device` is "cpu" or "gpu:N". Raises ValueError as `About.of`, and for a graph of other inputs."""
        self._about = About.of(folder)
        self.canvas_size = self._about.canvas_size
        from paddle import inference  # not above: `About` is asked without Paddle

        config = inference.Config(str(self._about.graph), str(self._about.weights))
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
        self._predictor = inference.create_predictor(config)
        # As PaddleX: by name, the image before the prompt.
        self._inputs = sorted(self._predictor.get_input_names())
        if len(self._inputs) != 2:
            raise ValueError(f"{folder} wants inputs {', '.join(self._inputs)}, not an image and a prompt")

    def encode(self, canvases: np.ndarray) -> list[Features]:
        """Nothing is computed yet."""
        return [(canvas,) for canvas in canvases]

    def decode(self, features: Features, asked: Asked, every: bool = False) -> Candidates:
        """One candidate for each prompt, its predicted IoU unknown (NaN).

        Raises OvsegError `invalid_prompt` for prompts that this network was not exported for.
        """
        kind, side = PROMPT_TYPES[self._about.model_name], float(self.canvas_size)
        if kind == "box" and asked.boxes is not None and asked.points is None:
            logits = self._run(features[0], asked.boxes)  # (N, 1, S/4, S/4)
        elif kind == "point" and asked.boxes is None and asked.points is not None and asked.points.shape[1] == 1:
            logits = np.concatenate([self._run(features[0], point[None]) for point in asked.points])
        else:
            knows = "a box for each object" if kind == "box" else "one point for each object"
            raise OvsegError("invalid_prompt", f"this inference model of PaddleX's knows {knows}, and nothing else")
        canvas = np.array([0, 0, side, side], np.float32)
        count = len(logits)
        return Candidates(logits, np.broadcast_to(canvas, (count, 1, 4)), np.full((count, 1), np.nan, np.float32))

    def decode_together(self, together: Together, every: bool = False) -> list[Candidates]:
        """In one run for each image, which it encodes."""
        return image_by_image(self, together, every)

    def _run(self, canvas: np.ndarray, prompt: np.ndarray) -> np.ndarray:
        for name, array in zip(self._inputs, (canvas[None], prompt), strict=True):
            self._predictor.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(array, np.float32))
        self._predictor.run()
        answer = self._predictor.get_output_handle(self._predictor.get_output_names()[0]).copy_to_cpu()
        return np.asarray(answer)
