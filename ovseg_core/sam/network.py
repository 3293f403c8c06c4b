"""The network: three parts that can run apart, so that an image is encoded once and asked many times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import paddle
from paddle import nn

from ovseg_core.sam.efficientnet_lite import EfficientNetLiteEncoder
from ovseg_core.sam.mask_decoder import MaskDecoder
from ovseg_core.sam.prompt_encoder import PromptEncoder
from ovseg_core.sam.raster import raster
from ovseg_core.sam.weights import load_safetensors


class Sam(nn.Layer):
    """Image encoder, prompt encoder and mask decoder, named as in SAM's public checkpoints."""

    def __init__(self, image_encoder: nn.Layer, canvas_size: int, raster_prompts: bool) -> None:
        super().__init__()
        grid = canvas_size // 16
        self.raster_prompts = raster_prompts
        self.image_encoder = image_encoder
        self.prompt_encoder = PromptEncoder(256, (grid, grid), (canvas_size, canvas_size))
        self.mask_decoder = MaskDecoder(256)

    @paddle.no_grad()
    def encode(self, canvas: np.ndarray) -> np.ndarray:
        """Normalised canvases (B, 3, S, S) float32 to image embeddings (B, 256, S/16, S/16) float32."""
        return self.image_encoder(paddle.to_tensor(canvas)).numpy()

    @paddle.no_grad()
    def decode(
        self,
        features: np.ndarray,  # 256, S/16, S/16: the embedding of one image
        boxes: np.ndarray | None,  # N, 4 canvas pixels
        points: np.ndarray | None,  # N, P, 2 canvas pixels
        labels: np.ndarray | None,  # N, P: 1 foreground, 0 background
    ) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, 4, S/4, S/4) and predicted IoU (N, 4) for N prompts of one image and one shape."""
        count = len(boxes) if boxes is not None else len(points) if points is not None else 0
        encoder = self.prompt_encoder
        sparse = encoder.sparse(*(None if x is None else paddle.to_tensor(x) for x in (boxes, points, labels)))
        if self.raster_prompts:
            grid = encoder.canvas_hw[0] // 4
            dense = encoder.dense(paddle.to_tensor(raster(boxes, points, labels, size=grid)))
        else:
            dense = encoder.no_dense(count)
        image = paddle.to_tensor(features).unsqueeze(0).expand([count, -1, -1, -1])
        logits, iou = self.mask_decoder(image, encoder.dense_pe(), sparse, dense)
        return logits.numpy(), iou.numpy()


def sam_lite() -> Sam:
    """SAM-Lite: EfficientNet-Lite0 at 512 x 512, prompts also drawn into the mask input."""
    return Sam(EfficientNetLiteEncoder(), canvas_size=512, raster_prompts=True)


NETWORKS: dict[str, Callable[[], Sam]] = {"sam_lite": sam_lite}


def load(name: str, weights: Path, device: str) -> Sam:
    """A network with its weights on a device of Paddle's ("cpu", "gpu:0", ...), ready to infer.

    Raises ValueError where the weights do not fit, or this machine or this build of Paddle has no such device.
    """
    if device.startswith("gpu"):
        _check_gpu()
    paddle.set_device(device)
    network = NETWORKS[name]()
    network.eval()
    load_safetensors(network, weights)
    return network


def _check_gpu() -> None:
    if not paddle.device.is_compiled_with_cuda():
        raise ValueError("this PaddlePaddle has no GPU support; install paddlepaddle-gpu as the README says")
    if paddle.device.cuda.device_count() == 0:
        raise ValueError("there is no such GPU on this machine")
