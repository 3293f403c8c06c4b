"""Export a detector as PaddleX's inference model GroundingDINO-T: image, text, fusion and decoder in one graph.

PaddleX and ovseg run its folder with `create_model("GroundingDINO-T", model_dir=folder)`.
"""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import yaml

from ovseg_core.grounding_dino import sine as sines
from ovseg_core.grounding_dino import tokenizer
from ovseg_core.grounding_dino.attention_mask import BLOCKED
from ovseg_core.grounding_dino.options import DetectionOptions
from ovseg_core.grounding_dino.parts import ImageParts, TextParts
from ovseg_core.grounding_dino.text import MAX_TOKENS
from ovseg_core.paddle_inference import sine
from ovseg_core.paddle_inference.detector import SIDES, VOCABULARY
from ovseg_core.paddle_inference.folder import DETECTORS, INDEX_FILE
from ovseg_core.paddle_inference.levels import LevelsLayer
from ovseg_core.quiet_paddle import nn, paddle

CANVAS_HW = (1344, 1344)  # pixels: every image that is scaled as in the training fits, whether it is wide or high

# PaddleMIX's names and PaddleX's types. PaddleX finds the inputs by the order of the names.
INPUTS = {
    "x": ([1, 3, -1, -1], "float32"),
    "m": ([1, -1, -1], "bool"),
    "input_ids": ([1, -1], "int64"),
    "attention_mask": ([1, -1], "int64"),
    "text_self_attention_masks": ([1, -1, -1], "bool"),
    "position_ids": ([1, -1], "int64"),
}


class WholeDetector(nn.Layer):
    """The inputs of PaddleX to boxes (1, Q, 4), as centre and size from 0 to 1, and logits (1, Q, 256)."""

    def __init__(self, image: ImageParts, words: TextParts) -> None:
        super().__init__()
        self.image, self.words = image, words
        self.levels = LevelsLayer(image.canvas_hw, image.shape.channels)
        rates = sines.rates(image.shape.channels)
        self.register_buffer("rates", paddle.to_tensor(rates), persistable=False)

    def forward(
        self,
        x: paddle.Tensor,
        m: paddle.Tensor,
        input_ids: paddle.Tensor,
        attention_mask: paddle.Tensor,
        text_self_attention_masks: paddle.Tensor,
        position_ids: paddle.Tensor,
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """`x` is a normalised image (1, 3, h, w), and `m` (1, h, w) is true in its padding. The text has T tokens."""
        is_image = 1 - m[0].astype("float32")
        levels = self.levels(is_image[:, 0].sum(), is_image[0].sum())
        text_mask = (1 - attention_mask[0].astype("float32")) * BLOCKED
        self_mask = (1 - text_self_attention_masks[0].astype("float32")) * BLOCKED
        places = sine.embedding(position_ids[0].astype("float32"), self.rates)
        words = self.words.text(input_ids[0], position_ids[0], self_mask)
        image = self.image.encode(self._on_canvas(x))[0]
        image, words, scores = self.image.fuse(
            image,
            levels.embedding,
            levels.is_image,
            levels.references,
            levels.proposes,
            words,
            places,
            text_mask,
            self_mask,
        )
        chosen = paddle.argsort(scores, descending=True, stable=True)[: self.image.shape.queries]
        proposals, proposes = levels.proposals.gather(chosen), levels.proposes.gather(chosen)
        logits, boxes = self.image.decode(
            image, levels.is_image, levels.shares, chosen, proposals, proposes, words, text_mask
        )
        missing = paddle.full([logits.shape[0], MAX_TOKENS], -float("inf"))[:, paddle.shape(logits)[1] :]
        return boxes.unsqueeze(0), paddle.concat([logits, missing], axis=1).unsqueeze(0)

    def _on_canvas(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return a canvas (1, 3, H, W) with an image (1, 3, h, w) at the top left, and zeros elsewhere."""
        height, width = self.image.canvas_hw
        zeros = paddle.zeros([1, 3, height, width])
        rows = paddle.concat([x, zeros[:, :, : paddle.shape(x)[2], paddle.shape(x)[3] :]], axis=3)
        return paddle.concat([rows, zeros[:, :, paddle.shape(x)[2] :]], axis=2).reshape([1, 3, height, width])


def export(image: ImageParts, words: TextParts, folder: Path) -> None:
    """Write `inference.json`, `inference.pdiparams`, `inference.yml` and `tokenizer/vocab.txt` into a folder.

    PaddleX accepts only one name for these networks, so `inference.yml` contains GroundingDINO-T for any of them.

    Args:
        image: the layers that see an image. Larger images than their canvas make the model fail.
        words: the layers that encode phrases.
        folder: is made if it does not exist.
    """
    (folder / VOCABULARY).parent.mkdir(parents=True, exist_ok=True)
    specs = [paddle.static.InputSpec(shape, kind, name) for name, (shape, kind) in INPUTS.items()]
    network = WholeDetector(image, words)
    network.eval()
    with warnings.catch_warnings():  # Paddle's own code reads attributes that graphs do not have, and warns about it
        warnings.simplefilter("ignore", UserWarning)
        paddle.jit.save(network, str(folder / "inference"), input_spec=specs)
    index = {
        "Global": {"model_name": DETECTORS[0]},
        "Preprocess": [{"type": "GroundingDINOProcessor", "text_max_words": MAX_TOKENS, "target_size": list(SIDES)}],
        "box_threshold": DetectionOptions.box_threshold,
        "text_threshold": DetectionOptions.text_threshold,
    }
    (folder / INDEX_FILE).write_text(yaml.safe_dump(index, sort_keys=False))
    shutil.copyfile(tokenizer.VOCABULARY, folder / VOCABULARY)
