"""Validates a request's JSON with pydantic models, and reports errors in the words and codes of this API."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ValidationError

from ovseg_core.errors import OvsegError
from worker.job.client_text import brief

Model = TypeVar("Model", bound=BaseModel)
Path = tuple[str | int, ...]

# This is more than a client can correct at a time, and keeps the answer at a few kilobytes.
MAX_ERRORS = 100
# Levels below the body: enough for any request, and few enough for every JSON parser that reads the job object.
MAX_DEPTH = 32
# The largest double has 309 digits. JavaScript and other readers of doubles cannot read a longer number.
MAX_DIGITS = 308
MAX_CHOICES = 32  # items of a list that chooses among a few names; a client may write a name twice
# Names in an object; the largest model has ten fields. Pydantic makes an error for each unknown name and lets no other
# thread run meanwhile: 100,000 names take a second.
MAX_NAMES = 32
FREE_FORM = "metadata"  # this field may have any number of names; its size in bytes is limited instead


class InvalidRequest(OvsegError):
    """One or more fields of a request are invalid.

    `errors` has an OvsegError for each of them, at most MAX_ERRORS; `count` is the number of all errors.
    """

    def __init__(self, errors: Sequence[OvsegError], count: int | None = None) -> None:
        super().__init__(errors[0].code, errors[0].message, errors[0].field)
        self.errors = list(errors[:MAX_ERRORS])
        self.count = len(errors) if count is None else count


def validated(model: type[Model], body: object) -> Model:
    """Parse a body with a model.

    Raises InvalidRequest for invalid fields, and OvsegError for a body that is not an object or has a value that not
    every JSON parser can read.
    """
    if not isinstance(body, Mapping):
        raise OvsegError("invalid_request", "the request must be a JSON object")
    _check_values(body)
    try:
        return model.model_validate(body)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise InvalidRequest([_readable(each, model) for each in details[:MAX_ERRORS]], len(details)) from None


def shown_as(shown: Any) -> BeforeValidator:
    """Return a mark for a field that the JSON Schema describes as another type than the model validates.

    Either the field's values are validated further by hand, or some are read by hand before.
    """
    return BeforeValidator(lambda value: value, json_schema_input_type=shown)


def short_list(value: object) -> object:
    """Check the length of a list before pydantic validates each of its items. For pydantic's BeforeValidator."""
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be a list")
    if len(value) > MAX_CHOICES:
        raise ValueError(f"must be a list of at most {MAX_CHOICES} items")
    return value


def _check_values(body: Mapping[str, Any]) -> None:
    """Refuse JSON that Python can read and other programs cannot: half surrogate pairs in texts and names (RFC 8259,
    section 8.2), integers beyond a double, and nesting that overflows a parser's stack. Also refuse objects with too
    many names.
    """
    containers: list[tuple[Path, Any]] = [((), body)]
    while containers:
        path, container = containers.pop()
        if len(path) > MAX_DEPTH:
            raise OvsegError("invalid_value", f"nested deeper than {MAX_DEPTH} levels", _field(path[:1]))
        if isinstance(container, Mapping) and len(container) > MAX_NAMES and path[:1] != (FREE_FORM,):
            message = f"an object has {len(container):,} names; outside {FREE_FORM} at most {MAX_NAMES} are allowed"
            raise OvsegError("unknown_field", message, _field(path) or None)
        for name, value in container.items() if isinstance(container, Mapping) else enumerate(container):
            if isinstance(name, str):
                _check_text(name, (*path, name))
            if isinstance(value, str):
                _check_text(value, (*path, name))
            elif isinstance(value, (Mapping, list)):
                containers.append(((*path, name), value))
            elif isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
                raise OvsegError("invalid_value", f"an integer of more than {MAX_DIGITS} digits", _field((*path, name)))


def _check_text(text: str, path: Path) -> None:
    try:
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        message = f"{half} is half of a surrogate pair, not a character: the text was cut inside a character"
        raise OvsegError("invalid_value", message, _field(path)) from None


def _field(path: Sequence[str | int]) -> str:
    """Return the path as a field, such as `prompts[2].box`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{brief(part)}" for part in path).lstrip(".")


def _readable(detail: Mapping[str, Any], model: type[BaseModel]) -> OvsegError:
    """Translate one of pydantic's errors: the field as a path, what was wrong, what is allowed."""
    path = _field(detail["loc"])
    kind, message = detail["type"], str(detail["msg"])
    if kind == "extra_forbidden":
        owner = _owner(detail["loc"], model)  # its `title`, if it has one, is the word for its fields
        allowed = f"allowed: {', '.join(owner.model_fields)}" if owner.model_fields else "none is allowed"
        return OvsegError("unknown_field", f"unknown {owner.model_config.get('title', 'field')}; {allowed}", path)
    if kind in ("literal_error", "enum"):
        given = reprlib.repr(detail["input"])
        return OvsegError("invalid_value", f"must be {detail['ctx']['expected']}, not {given}", path)
    if kind == "float_type":
        return OvsegError("invalid_value", "must be a number", path)
    if kind == "finite_number":
        return OvsegError("invalid_value", "must be a finite number", path)
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    return OvsegError("invalid_value", message[:1].lower() + message[1:], path)


def _owner(location: Path, model: type[BaseModel]) -> type[BaseModel]:
    """Return the model that has the last part of the location as a field."""
    for part in location[:-1]:
        if isinstance(part, str):
            model = next(_models(model.model_fields[part].annotation), model)
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
