"""A pipeline that reads like the one of vision-language models in LMDeploy: text and images in, objects out.

>>> from ovseg_core.vl import load_image, pipeline
>>> pipe = pipeline("SAM-Lite")
>>> response = pipe(("describe this image", load_image("photo.jpg")))
>>> print(response.text)

No language model reads the text: `ovseg_core.vl.instruction` describes what a text can say. The gateway imports parts
of this package, so a name is imported when it is first used. Until then neither NumPy nor a network is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from ovseg_core.vl.engine_config import EngineConfig
    from ovseg_core.vl.generation_config import GenerationConfig
    from ovseg_core.vl.inference import Pipeline, pipeline
    from ovseg_core.vl.loading import load_image, load_image_from_url
    from ovseg_core.vl.response import FoundObject, Response

__all__ = [
    "EngineConfig",
    "FoundObject",
    "GenerationConfig",
    "Pipeline",
    "Response",
    "load_image",
    "load_image_from_url",
    "pipeline",
]

if not TYPE_CHECKING:  # with `__getattr__`, a type checker would accept every name
    __getattr__, __dir__, _ = lazy_loader.attach(
        __name__,
        submod_attrs={
            "engine_config": ["EngineConfig"],
            "generation_config": ["GenerationConfig"],
            "inference": ["Pipeline", "pipeline"],
            "loading": ["load_image", "load_image_from_url"],
            "response": ["FoundObject", "Response"],
        },
    )
