"""Promptable image segmentation: arrays in, masks out. No network, no queue.

As PaddleX's `open_vocabulary_segmentation`:

>>> from ovseg_core import create_pipeline
>>> pipeline = create_pipeline(pipeline="open_vocabulary_segmentation", model="SAM-Lite")
>>> for result in pipeline.predict("photo.jpg", prompt=[[10, 20, 200, 300]], prompt_type="box"):
...     result.save_to_img("output/")

Or closer to the network:

>>> from ovseg_core.segmenter import Segmenter
>>> segmenter = Segmenter.open("SAM-Lite")
>>> embedding = segmenter.encode(image_rgb)                     # once per image
>>> masks = segmenter.decode(embedding, [Prompt.of_box(10, 20, 200, 300)])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ovseg_core.paddlex.model import create_model
    from ovseg_core.paddlex.pipeline import create_pipeline

__all__ = ["create_model", "create_pipeline"]


def __getattr__(name: str) -> Any:
    """PaddleX's two functions, loaded when they are used: the gateway imports parts of this package and no NumPy."""
    if name == "create_model":
        from ovseg_core.paddlex.model import create_model

        return create_model
    if name == "create_pipeline":
        from ovseg_core.paddlex.pipeline import create_pipeline

        return create_pipeline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
