"""What a call does, written once for both clients: a generator that yields steps and returns the call's result.

`Client` and `AsyncClient` take the steps. They differ only in how they send a request, pause, and do blocking work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from functools import update_wrapper
from pathlib import Path
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
FormPart = tuple[str | None, bytes, str]  # name of the file, content, media type


@dataclass(frozen=True)
class Request:
    """A request to the service. Every one can be sent twice without harm. The step's value is the whole answer."""

    method: str
    path: str
    query: Mapping[str, str | int | float] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, FormPart] | None = None
    content: bytes | None = None


@dataclass(frozen=True)
class Transfer:
    """A request to another host, such as the object storage. It has only the headers that are given, and no API key."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | Path


@dataclass(frozen=True)
class Open:
    """A request whose answer is read with `Next`. The step's value is the answer; that of an error is read already."""

    request: Request
    is_events: bool = False


@dataclass(frozen=True)
class Next:
    """The next bytes, or the next event, of the answer that was opened last; None at its end."""


@dataclass(frozen=True)
class Pause:
    """Do nothing for some seconds."""

    seconds: float


@dataclass(frozen=True)
class Work:
    """Call a function that reads a file or computes."""

    function: Callable[[], Any]


@dataclass(frozen=True)
class Emit(Generic[T_co]):
    """Give the caller a value, and continue when it asks for the next one."""

    value: T_co


Step = Request | Transfer | Open | Next | Pause | Work
Steps = Generator[Step, Any, R]
Emitting = Generator[Step | Emit[T], Any, None]


def emitted(steps: Steps[R]) -> Emitting[R]:
    """Give the caller what the steps return."""
    yield Emit((yield from steps))


class TakesSteps(ABC):
    """What takes the steps of its calls in the caller's thread."""

    @abstractmethod
    def _take(self, steps: Steps[R]) -> R: ...

    @abstractmethod
    def _iterate(self, steps: Emitting[T]) -> Generator[T, None, None]: ...


class TakesStepsAsync(ABC):
    """What takes the steps of its calls in the event loop."""

    @abstractmethod
    async def _take(self, steps: Steps[R]) -> R: ...

    @abstractmethod
    def _iterate(self, steps: Emitting[T]) -> AsyncGenerator[T, None]: ...


class Part(TakesSteps):
    """A part of a client, or a thing that it returned: the client takes its steps."""

    _client: TakesSteps

    def _take(self, steps: Steps[R]) -> R:
        return self._client._take(steps)

    def _iterate(self, steps: Emitting[T]) -> Generator[T, None, None]:
        return self._client._iterate(steps)


class AsyncPart(TakesStepsAsync):
    """As `Part`, of an async client."""

    _client: TakesStepsAsync

    async def _take(self, steps: Steps[R]) -> R:
        return await self._client._take(steps)

    def _iterate(self, steps: Emitting[T]) -> AsyncGenerator[T, None]:
        return self._client._iterate(steps)


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

        return _bound(update_wrapper(method, self._steps), owner)


class Stream(Generic[P, T]):
    """Decorates a generator method, which then returns an iterator of what it emits; in an async class, async."""

    def __init__(self, steps: Callable[Concatenate[Any, P], Emitting[T]]) -> None:
        self._steps = steps
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> Callable[Concatenate[Any, P], Any]: ...
    @overload
    def __get__(self, owner: TakesSteps, kind: type) -> Callable[P, Generator[T, None, None]]: ...
    @overload
    def __get__(self, owner: TakesStepsAsync, kind: type) -> Callable[P, AsyncGenerator[T, None]]: ...
    def __get__(self, owner: Any, kind: type) -> Callable[..., Any]:
        def method(owner: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
            return owner._iterate(self._steps(owner, *args, **kwargs))

        return _bound(update_wrapper(method, self._steps), owner)


def _bound(method: Callable[..., Any], owner: Any) -> Callable[..., Any]:
    return method if owner is None else MethodType(method, owner)
