"""Everything mode in a request: `"everything"`, or `{"everything": {...options}}`, instead of a list of prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import WithJsonSchema

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from ovseg_core.everything.options import INTEGERS, RANGES
from ovseg_core.family import EVERYTHING
from ovseg_core.models import ModelSpec
from worker.job.client_text import brief

FIELDS = ("prompts", "prompt", "promptType")  # of a body, in which everything mode can be requested

# The JSON Schema of what `Everything` parses. The options are checked by `EverythingOptions`.
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_GRID = {"type": "array", "items": {"type": "array", "items": _SHARE, "minItems": 2, "maxItems": 2}}
_NUMBERS = {
    name: {"type": "integer" if name in INTEGERS else "number", "minimum": lowest, "maximum": highest}
    for name, (lowest, highest) in RANGES.items()
}
OPTIONS_SCHEMA = {
    "type": "object",
    "properties": {**_NUMBERS, "point_grids": {"anyOf": [{"type": "array", "items": _GRID}, {"type": "null"}]}},
    "additionalProperties": False,
}
OBJECT_SCHEMA = {
    "type": "object",
    "properties": {EVERYTHING: OPTIONS_SCHEMA},
    "required": [EVERYTHING],
    "additionalProperties": False,
}
OptionsJson = Annotated[dict[str, Any], WithJsonSchema(OPTIONS_SCHEMA)]
EverythingJson = Annotated[Any, WithJsonSchema({"anyOf": [{"const": EVERYTHING}, OBJECT_SCHEMA]})]


@dataclass(frozen=True)
class Everything:
    """A request for everything mode. `field` is the part of the request that has the given `options`."""

    field: str
    options: Mapping[str, Any]

    @classmethod
    def split(cls, body: object) -> tuple[Everything | None, object]:
        """Return the request for everything mode in a body, and the rest of the body.

        Without such a request these are None and the whole body. PaddleX's spelling is `promptType: "everything"`, with
        the options, if any, in `prompt`.

        Raises OvsegError `invalid_value` or `invalid_request`: it is malformed, or the body has prompts too.
        """
        if not isinstance(body, Mapping):
            return None, body
        requested = cls._of(*(body.get(name) for name in FIELDS))
        if requested is None:
            return None, body
        return requested, {name: value for name, value in body.items() if name not in FIELDS}

    @classmethod
    def _of(cls, prompts: object, prompt: object, prompt_type: object) -> Everything | None:
        is_ours, is_paddlex = prompts == EVERYTHING or isinstance(prompts, Mapping), prompt_type == EVERYTHING
        has_both = prompt is not None or prompt_type is not None if is_ours else prompts is not None
        if (is_ours or is_paddlex) and has_both:
            raise OvsegError("invalid_request", "everything mode takes no prompts; request it alone", "prompts")
        if is_paddlex:
            return cls("prompt", _options({} if prompt is None else prompt, "prompt"))
        if not isinstance(prompts, Mapping):
            return cls("prompts", {}) if is_ours else None
        if prompts.keys() != {EVERYTHING}:
            message = 'must be a list of prompts, or "everything", or {"everything": {...options}}'
            raise OvsegError("invalid_value", message, "prompts")
        return cls("prompts.everything", _options(prompts[EVERYTHING], "prompts.everything"))

    def checked(self, spec: ModelSpec, settings: Settings) -> dict[str, Any]:
        """Return the given options, as values for JSON in one spelling.

        Args:
            spec: the model, whose own options apply where none is given.
            settings: the limits of a job's cost.

        Raises:
            OvsegError: `prompt_not_supported`, `invalid_options`, `too_many_points`; its `field` is the place in the
                request.
        """
        spec.check_everything(self.field)
        try:
            options = spec.preset.everything.changed(self.options)
        except OvsegError as error:
            raise error.at(f"{self.field}.{brief(error.field or '')}") from None
        layers, encodes, points = options.crop_n_layers, options.encode_count, options.point_count
        if encodes > settings.max_everything_encodes:
            message = f"{layers} layers of crops need {encodes:,} runs of the image encoder"
            message += f"; at most {settings.max_everything_encodes:,} are allowed in one job"
            raise OvsegError("invalid_options", message, f"{self.field}.crop_n_layers")
        if points > settings.max_everything_points:
            message = f"{points:,} points in the image and its crops"
            message += f"; at most {settings.max_everything_points:,} are allowed in one job"
            raise OvsegError("too_many_points", message, self.field)
        values = {name: _plain(name, getattr(options, name)) for name in self.options}
        return {name: value for name, value in values.items() if value is not None}


def _options(given: object, field: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise OvsegError("invalid_value", "must be an object with options of everything mode, such as {}", field)
    return given


def _plain(name: str, value: Any) -> Any:
    """Return an option's value for JSON. 1 and 1.0 become equal, so that their fingerprints are equal."""
    if name == "point_grids":
        return value and [[[float(x), float(y)] for x, y in grid] for grid in value]
    return value if name in INTEGERS else float(value)
