"""`python -m training check-answers`: record the original's answers to the prompts of `ovseg models check`.

Needs the packages of `make parity`, and the publisher's checkpoint.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ovseg import demo
from ovseg.model_check import answers, questions
from ovseg.model_check.answers import Answers, KnownMask
from ovseg_core import digests, header, image
from ovseg_core.mask import Mask
from ovseg_core.prompts import Prompt
from tests.support import originals

VARIANTS = {"SAM-B": "vit_b", "SAM-L": "vit_l", "SAM-H": "vit_h", "MobileSAM": "vit_t"}


def write(model: str, checkpoint: Path) -> None:
    """Write the file of known answers of a model. Look at the masks before you commit it."""
    with originals.importable():
        if model == "MobileSAM":
            import mobile_sam as package
        else:
            import segment_anything as package
        predictor = package.SamPredictor(package.sam_model_registry[VARIANTS[model]](checkpoint=str(checkpoint)).eval())
        found = of_predictor(predictor, f"{package.__name__} (torch, float32)", digests.of_weights(checkpoint))
    path = answers.FOLDER / f"{model}.json"
    found.write(path)
    print(f"{path}: {len(found.by_prompt)} answers")


def of_predictor(predictor: Any, made_by: str, weights_sha256: str) -> Answers:
    """Return the answers of a predictor with the methods of `SamPredictor`.

    Mask prompts are left out: SAM takes them as logits, and we make these from the outline of a mask.
    """
    photo = image.decode(demo.PHOTO.read_bytes(), header.MOST_PIXELS)
    predictor.set_image(photo)
    prompts = [prompt for kind, several in questions.QUESTIONS.items() if kind != "mask" for prompt in several]
    by_prompt = {answers.key(prompt): _answer(predictor, prompt) for prompt in prompts}
    height, width = photo.shape[:2]
    return Answers(made_by, weights_sha256, (height, width), by_prompt)


def _answer(predictor: Any, prompt: Prompt) -> KnownMask:
    masks, ious, _ = predictor.predict(
        point_coords=np.array(prompt.points, np.float64) if prompt.points else None,
        point_labels=np.array(prompt.labels) if prompt.points else None,
        box=np.array(prompt.box, np.float64) if prompt.box else None,
        multimask_output=prompt.kind == "point",
    )
    best = int(ious.argmax())
    pixels = np.asarray(masks[best], bool)
    mask = Mask.of_crop(pixels, (0, 0), (pixels.shape[0], pixels.shape[1]), None)
    return KnownMask(mask.counts, round(float(np.clip(ious[best], 0, 1)), 4))
