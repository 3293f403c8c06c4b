"""Where and how the networks of a pipeline run, and how much one prompt may ask."""

from __future__ import annotations

from dataclasses import dataclass

from ovseg_core.errors import OvsegError


@dataclass(frozen=True)
class EngineConfig:
    """What a pipeline's `backend_config` takes, as LMDeploy's TurbomindEngineConfig does for language models.

    Args:
        device: "cpu", "gpu:0" or another device of `ovseg_core.devices`. The default is the first GPU that Paddle can
            use, or the CPU if there is none.
        engine: "openvino", "onnxruntime" or "paddle"; "auto" is the fastest that is installed.
        precision: "float32", "auto" (the fastest), or another that the model has, see `create_model`. Detectors compute
            in float32.
        detector: the model that finds the boxes of phrases, a detector in `ovseg models list`. It is loaded when a text
            first has phrases.
        max_batch_size: how many images the encoder computes in one run.
        max_images: maximum number of images of one prompt.
        max_prompts: maximum number of phrases, boxes and points of one prompt.

    Raises:
        OvsegError: `invalid_options` if a limit is not at least 1; its `field` is the name.
    """

    device: str | None = None
    engine: str = "auto"
    precision: str = "float32"
    detector: str = "GroundingDINO-T"
    max_batch_size: int = 1
    max_images: int = 64
    max_prompts: int = 1000

    def __post_init__(self) -> None:
        for name in ("max_batch_size", "max_images", "max_prompts"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise OvsegError("invalid_options", "must be a whole number of at least 1", name)
