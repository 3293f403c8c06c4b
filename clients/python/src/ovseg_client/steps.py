"""What a call does, written once for both clients: a generator that yields steps and returns the call's result.

`Client` and `AsyncClient` take the steps. They differ only in how they send a request, pause, and do blocking work.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from functools import update_wrapper
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

P = ParamSpec("P")
R = TypeVar("R")
FormPart = tuple[str | None, bytes, str]  # name of the file, content, media type


@dataclass(frozen=True)
class Request:
    """A request to the service. Every one can be sent twice without harm."""

    method: str
    path: str
    query: Mapping[str, str | int | float] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, FormPart] | None = None
    content: bytes | None = None


@dataclass(frozen=True)
class Pause:
    """Do nothing for some seconds."""

    seconds: float


@dataclass(frozen=True)
class Work:
    """Call a function that reads a file or computes."""

    function: Callable[[], Any]


Steps = Generator[Request | Pause | Work, Any, R]


class TakesSteps:
    """What takes the steps of its calls in the caller's thread."""

    def _take(self, steps: Steps[R]) -> R:
        raise NotImplementedError


class TakesStepsAsync:
    """What takes the steps of its calls in the event loop."""

    async def _take(self, steps: Steps[R]) -> R:
        raise NotImplementedError


class Call(Generic[P, R]):
    """Decorates a generator method, which then returns the generator's result; in an async class, a coroutine."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Steps[R]]) -> None:
        self._steps = steps
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> Callable[Concatenate[Any, P], Any]: ...
    @overload
    def __get__(self, owner: TakesSteps, kind: type) -> Callable[P, R]: ...
    @overload
    def __get__(self, owner: TakesStepsAsync, kind: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, owner: Any, kind: type) -> Callable[..., Any]:
        def method(owner: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
            return owner._take(self._steps(owner, *args, **kwargs))

        update_wrapper(method, self._steps)
        return method if owner is None else MethodType(method, owner)
