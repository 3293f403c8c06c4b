"""A request's JSON to pydantic models, and what was wrong with it in our words."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from ovseg_core.errors import OvsegError

Model = TypeVar("Model", bound=BaseModel)
Path = tuple[str | int, ...]

# More than a client can put right at a time, and an answer of some kilobytes.
MAX_ERRORS = 100
# Levels under the body: deep enough for anyone, shallow enough for every JSON parser that the job object meets.
MAX_DEPTH = 32
# The largest double has 309 digits: what is longer is no number to JavaScript, or to any other reader of doubles.
MAX_DIGITS = 308
MAX_CHOICES = 32  # of a list that chooses among a few names; some write one twice
# Names in an object; the largest model has ten fields. Pydantic makes an error of each unknown name while no other
# thread runs: 100,000 take a second.
MAX_NAMES = 32
FREE_FORM = "metadata"  # the field that is bounded in bytes instead
# Of a stranger's text in an error message: enough to recognise it.
SHOWN_CHARACTERS = 80


class InvalidRequest(OvsegError):
    """Several fields of a request may be wrong; `errors` has one OvsegError for each of the first 100 of `count`."""

    def __init__(self, errors: Sequence[OvsegError], count: int | None = None) -> None:
        super().__init__(errors[0].code, errors[0].message, errors[0].field)
        self.errors = list(errors[:MAX_ERRORS])
        self.count = len(errors) if count is None else count


def validated(model: type[Model], body: object) -> Model:
    """The fields of a body. Raises InvalidRequest, or OvsegError where it is no object or holds what is not JSON."""
    if not isinstance(body, Mapping):
        raise OvsegError("invalid_request", "the request must be a JSON object")
    _check_values(body)
    try:
        return model.model_validate(body)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise InvalidRequest([_readable(each, model) for each in details[:MAX_ERRORS]], len(details)) from None


def short_list(value: object) -> object:
    """Before each of its items is looked at: a list of a few. For pydantic's BeforeValidator."""
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be a list")
    if len(value) > MAX_CHOICES:
        raise ValueError(f"must be a list of at most {MAX_CHOICES}")
    return value


def brief(text: str) -> str:
    """A stranger's text for an error message: not too long, and without what UTF-8 cannot carry."""
    shown = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."
    return shown.encode("utf-8", "backslashreplace").decode()


def _check_values(body: Mapping[str, Any]) -> None:
    """Refuse what JSON can spell and others cannot read: lone surrogates (RFC 8259, section 8.2), in keys too, integers
    beyond a double, and a nesting that overflows their stacks. Python itself would carry all three.
    """
    containers: list[tuple[Path, Any]] = [((), body)]
    while containers:
        path, container = containers.pop()
        if len(path) > MAX_DEPTH:
            raise OvsegError("invalid_value", f"nested deeper than {MAX_DEPTH} levels", _field(path[:1]))
        if isinstance(container, Mapping) and len(container) > MAX_NAMES and path[:1] != (FREE_FORM,):
            message = f"an object of {len(container):,} names; outside of {FREE_FORM}, none has more than {MAX_NAMES}"
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
        message = f"{half} is half of a surrogate pair, and no character: a text was cut in the middle of one"
        raise OvsegError("invalid_value", message, _field(path)) from None


def _field(path: Sequence[str | int]) -> str:
    """`prompts[2].box`"""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{brief(part)}" for part in path).lstrip(".")


def _readable(detail: Mapping[str, Any], model: type[BaseModel]) -> OvsegError:
    """One of pydantic's complaints in our words: the field as a path, what was wrong, what is allowed."""
    path = _field(detail["loc"])
    kind, message = detail["type"], str(detail["msg"])
    if kind == "extra_forbidden":
        owner = _owner(detail["loc"], model)  # whose `title`, if it has one, says what its fields are called
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
    """The model that the last part of a location is a field of."""
    for part in location[:-1]:
        if isinstance(part, str):
            model = next(_models(model.model_fields[part].annotation), model)
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
