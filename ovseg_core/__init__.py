"""Promptable image segmentation as a library: it takes arrays and returns masks, without a queue or a server.

Use it like PaddleX's `open_vocabulary_segmentation`:

>>> from ovseg_core import create_pipeline
>>> pipeline = create_pipeline(pipeline="open_vocabulary_segmentation", model="SAM-Lite")
>>> for result in pipeline.predict("photo.jpg", prompt=[[10, 20, 200, 300]], prompt_type="box"):
...     result.save_to_img("output/")

Or like `pipeline` of Hugging Face's transformers:

>>> from ovseg_core import pipeline
>>> generator = pipeline(task="mask-generation")
>>> masks = generator("photo.jpg", points_per_crop=4)["masks"]

Or use the network more directly:

>>> import numpy as np
>>> from PIL import Image
>>> from ovseg_core import Prompt, Segmenter
>>> image_rgb = np.asarray(Image.open("photo.jpg").convert("RGB"))
>>> segmenter = Segmenter.open("SAM-Lite")
>>> embedding = segmenter.encode(image_rgb)  # once for each image
>>> box, point = segmenter.decode(embedding, [Prompt.of_box(10, 20, 200, 300), Prompt.of_point(100, 150)])
>>> box.full().shape == image_rgb.shape[:2]
True

The library accesses the internet in two cases: `create_model` and the functions that make pipelines download weights
that are not installed (`ovseg_core.models.pull`), and URLs that are given as images are fetched
(`ovseg_core.image_source`). It reads environment variables in one place, `ovseg_core.environment`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from ovseg_core.answer import Answer
    from ovseg_core.automatic_mask_generator import AutomaticMaskGenerator
    from ovseg_core.embedding import Embedding
    from ovseg_core.errors import OvsegError
    from ovseg_core.everything.options import EverythingOptions
    from ovseg_core.hugging_face.pipeline import pipeline
    from ovseg_core.mask import Mask
    from ovseg_core.models.pull import PullFailed
    from ovseg_core.paddlex.detection_model import DetectionModel
    from ovseg_core.paddlex.detection_pipeline import DetectionPipeline
    from ovseg_core.paddlex.detection_result import DetectionResult
    from ovseg_core.paddlex.model import Model, create_model
    from ovseg_core.paddlex.pipeline import Pipeline, create_pipeline
    from ovseg_core.paddlex.result import Result
    from ovseg_core.prompts import Prompt
    from ovseg_core.segmenter import Segmenter

__all__ = [
    "Answer",
    "AutomaticMaskGenerator",
    "DetectionModel",
    "DetectionPipeline",
    "DetectionResult",
    "Embedding",
    "EverythingOptions",
    "Mask",
    "Model",
    "OvsegError",
    "Pipeline",
    "Prompt",
    "PullFailed",
    "Result",
    "Segmenter",
    "create_model",
    "create_pipeline",
    "pipeline",
]

if not TYPE_CHECKING:  # with `__getattr__`, a type checker would accept every name
    # A name is imported when it is first used: the gateway imports parts of this package and must load neither NumPy
    # nor a network.
    __getattr__, __dir__, _ = lazy_loader.attach(
        __name__,
        submod_attrs={
            "answer": ["Answer"],
            "automatic_mask_generator": ["AutomaticMaskGenerator"],
            "embedding": ["Embedding"],
            "errors": ["OvsegError"],
            "everything.options": ["EverythingOptions"],
            "hugging_face.pipeline": ["pipeline"],
            "mask": ["Mask"],
            "models.pull": ["PullFailed"],
            "paddlex.detection_model": ["DetectionModel"],
            "paddlex.detection_pipeline": ["DetectionPipeline"],
            "paddlex.detection_result": ["DetectionResult"],
            "paddlex.model": ["Model", "create_model"],
            "paddlex.pipeline": ["Pipeline", "create_pipeline"],
            "paddlex.result": ["Result"],
            "prompts": ["Prompt"],
            "segmenter": ["Segmenter"],
        },
    )
