"""A pipeline that reads like the one of vision-language models in LMDeploy: text and images in, objects out.

>>> from ovseg_core.vl import load_image, pipeline
>>> pipe = pipeline("SAM-Lite")
>>> response = pipe(("describe this image", load_image("photo.jpg")))
>>> print(response.text)

No language model reads the text: `ovseg_core.vl.instruction` describes what a text can say. The gateway imports parts
of this package, so a name is imported when it is first used. Until then neither NumPy nor a network is loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_MODULES = {
    "EngineConfig": "engine_config",
    "FoundObject": "response",
    "GenerationConfig": "generation_config",
    "Pipeline": "inference",
    "Response": "response",
    "load_image": "loading",
    "load_image_from_url": "loading",
    "pipeline": "inference",
}

if not TYPE_CHECKING:  # with `__getattr__`, a type checker would accept every name

    def __getattr__(name: str) -> Any:
        """Return a public name; import its module when the name is first used."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
