"""Export a SAM as an inference model of PaddleX: image encoder, prompt encoder and mask decoder in one graph.

PaddleX and ovseg run its folder with `create_model("SAM-H_box", model_dir=folder)`. Any program with Paddle Inference
can run it too.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import yaml

from ovseg_core.paddle_inference.folder import INDEX_FILE
from ovseg_core.quiet_paddle import nn, paddle
from ovseg_core.sam.parts import SamParts
from ovseg_core.sam.points import BOX_BOTTOM_RIGHT, BOX_TOP_LEFT, NOT_A_POINT, POSITIVE

PROMPT_SHAPES = {"box": [-1, 4], "point": [1, 1, 2]}


class EncoderAndDecoder(nn.Layer):
    """From a canvas (1, 3, S, S) and boxes (N, 4), or one click (1, 1, 2), in canvas pixels, to low-res masks
    (N, 1, S/4, S/4)."""

    def __init__(self, sam: SamParts, prompt_type: str) -> None:
        super().__init__()
        self.sam, self.prompt_type = sam, prompt_type

    def forward(self, img: paddle.Tensor, prompt: paddle.Tensor) -> paddle.Tensor:
        if self.prompt_type == "box":
            xy, labels = prompt.reshape([-1, 2, 2]), [BOX_TOP_LEFT, BOX_BOTTOM_RIGHT]
        else:
            xy, labels = paddle.concat([prompt, paddle.zeros([1, 1, 2])], axis=1), [POSITIVE, NOT_A_POINT]
        tokens = self.sam.prompts(xy, paddle.to_tensor([labels], dtype="float32").expand([xy.shape[0], 2]))
        masks, _ = self.sam.decode(self.sam.encode(img), tokens, mask_indices=paddle.zeros([1]))
        return masks


def export(sam: SamParts, prompt_type: str, folder: Path) -> None:
    """Write `inference.json`, `inference.pdiparams` and `inference.yml` into a folder.

    The model accepts prompts of one type, "box" or "point". PaddleX accepts only two names for these networks, so
    `inference.yml` contains SAM-H_box or SAM-H_point for any SAM.
    """
    folder.mkdir(parents=True, exist_ok=True)
    side = sam.canvas_size
    shapes = {"img": [1, 3, side, side], "prompt": PROMPT_SHAPES[prompt_type]}
    specs = [paddle.static.InputSpec(shape, "float32", name) for name, shape in shapes.items()]
    network = EncoderAndDecoder(sam, prompt_type)
    network.eval()
    with warnings.catch_warnings():  # Paddle's own code reads attributes that graphs do not have, and warns about it
        warnings.simplefilter("ignore", UserWarning)
        paddle.jit.save(network, str(folder / "inference"), input_spec=specs)
    index = {
        "Global": {"model_name": f"SAM-H_{prompt_type}"},
        "Processor": {"type": "SAMProcessor", "size": side},
    }
    (folder / INDEX_FILE).write_text(yaml.safe_dump(index, sort_keys=False))
