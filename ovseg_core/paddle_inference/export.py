"""A SAM as PaddleX's inference model: image encoder, prompt encoder and mask decoder as one network in a folder.

PaddleX runs it as `create_model("SAM-H_box", model_dir=folder)`; so does ovseg, and so does any Paddle Inference.
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
    """A canvas and boxes (N, 4), or one click (1, 1, 2), in canvas pixels to low-res masks (N, 1, S/4, S/4)."""

    def __init__(self, sam: SamParts, prompt_type: str) -> None:
        super().__init__()
        self.sam, self.prompt_type = sam, prompt_type

    def forward(self, img: paddle.Tensor, prompt: paddle.Tensor) -> paddle.Tensor:
        if self.prompt_type == "box":
            xy, kinds = prompt.reshape([-1, 2, 2]), [BOX_TOP_LEFT, BOX_BOTTOM_RIGHT]
        else:
            xy, kinds = paddle.concat([prompt, paddle.zeros([1, 1, 2])], axis=1), [POSITIVE, NOT_A_POINT]
        labels = paddle.to_tensor([kinds], dtype="float32").expand([xy.shape[0], 2])
        tokens = self.sam.prompts(xy, labels)
        masks, _ = self.sam.decode(self.sam.encode(img), tokens, wanted=paddle.zeros([1]))
        return masks


def export(sam: SamParts, prompt_type: str, folder: Path) -> None:
    """Write `inference.json`, `inference.pdiparams` and `inference.yml` into a folder, for prompts of a type.

    PaddleX knows these networks under two names only, so that is what the folder is called inside, whichever SAM it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    side = sam.canvas_size
    shapes = {"img": [1, 3, side, side], "prompt": PROMPT_SHAPES[prompt_type]}
    specs = [paddle.static.InputSpec(shape, "float32", name) for name, shape in shapes.items()]
    network = EncoderAndDecoder(sam, prompt_type)
    network.eval()
    with warnings.catch_warnings():  # Paddle's own code asks graphs for what they do not have, and warns of it
        warnings.simplefilter("ignore", UserWarning)
        paddle.jit.save(network, str(folder / "inference"), input_spec=specs)
    about = {
        "Global": {"model_name": f"SAM-H_{prompt_type}"},
        "Processor": {"type": "SAMProcessor", "size": side},
    }
    (folder / INDEX_FILE).write_text(yaml.safe_dump(about, sort_keys=False))
