"""A task that is ready to be called, as transformers' `Pipeline` is."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ovseg_core.hugging_face import items
from ovseg_core.hugging_face.asked import Asked, answers
from ovseg_core.hugging_face.loaded import Loaded
from ovseg_core.hugging_face.task import Task
from ovseg_core.in_batches import in_batches

Answering = Callable[[Iterable[Sequence[Asked]]], Iterator[Any]]  # yields the results of batches in their order


@dataclass(frozen=True)
class Reading:
    """How a call reads its inputs.

    Args:
        batch_size: number of images that the image encoder computes in one run; 1 or more.
        num_workers: 0 reads images in the caller's thread when they are needed. Otherwise a thread reads a batch ahead.
    """

    batch_size: int = 1
    num_workers: int = 1

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {self.batch_size}")
        if self.num_workers < 0:
            raise ValueError(f"num_workers must be at least 0, not {self.num_workers}")

    def changed(self, given: dict[str, Any]) -> Reading:
        """Return this with the options that are in `given`, and remove them there."""
        values = {name: given.pop(name) for name in ("batch_size", "num_workers") if name in given}
        return replace(self, **{name: value for name, value in values.items() if value is not None})


class TaskPipeline:
    """A task with its models; `pipeline` makes it.

    Attributes:
        task: the name of the task.
        devices: the devices, as `ovseg_core.devices` names them.
    """

    def __init__(self, task: Task, answering: Answering, devices: tuple[str, ...], reading: Reading) -> None:
        self.task, self.devices = task.name, devices
        self._task, self._answering, self._reading = task, answering, reading

    def __call__(self, *inputs: Any, **parameters: Any) -> Any:
        """Return the result for an image, or the results for several.

        Args:
            inputs: the images: one, a list, a dataset, an iterator or a generator. An image is a URL, a path, base64, a
                data URL, the bytes of a file, a PIL image, or an array (H, W, 3) uint8 in RGB; or a mapping with an
                image under "image", and parameters for this image. The images may also be named `images`, `image` or
                `inputs`.
            parameters: parameters of the task for this call, `batch_size` and `num_workers`. Other calls keep those of
                `pipeline`.

        Returns:
            For one image its result, see the class of the task. For a list a list of results; for anything else an
            iterator, which computes a result when it is requested, while a thread takes and reads the next images.

        Raises:
            OvsegError: an image cannot be read, or a prompt or a parameter is wrong.
            FileNotFoundError: there is no such file.
            TypeError: there is no such parameter, or an input has another type.
            ValueError: a parameter is wrong.
        """
        given = self._images(inputs, parameters)
        reading = self._reading.changed(parameters)
        task = self._task.changed(parameters)
        given = items.with_labels(given, parameters.get("candidate_labels"))
        if items.is_one(given):
            [result] = self._answering([[_asked(task, given)]])
            return result
        results = self._results(task, items.of_each(given), reading)
        return list(results) if isinstance(given, list | tuple) else results

    def _images(self, inputs: Sequence[Any], parameters: dict[str, Any]) -> Any:
        """Return the images, and remove their name from the parameters; move a second value without a name there."""
        named = [name for name in items.IMAGE if name in parameters]
        given = [*inputs[:1], *(parameters.pop(name) for name in named)]
        if len(given) != 1:
            raise TypeError(f"{self.task} needs one image, or several in one list" + (", not more" if given else ""))
        if len(inputs) > 1:
            if len(inputs) > 2 or self._task.second is None:
                raise TypeError(f"the parameters of {self.task} need their names; only the images may lack theirs")
            parameters[self._task.second] = inputs[1]
        return given[0]

    def _results(self, task: Task, several: Iterator[Any], reading: Reading) -> Generator[Any]:
        read = partial(_asked, task)
        if not reading.num_workers:
            yield from self._answering(in_batches(map(read, several), reading.batch_size))
            return
        with closing(items.ahead(several, read, reading.batch_size * len(self.devices))) as asked:
            yield from self._answering(in_batches(asked, reading.batch_size))


def in_this_process(loaded: Loaded, batches: Iterable[Sequence[Asked]]) -> Iterator[Any]:
    """Yield the results of the batches, computed by models that this process has loaded."""
    for batch in batches:
        yield from answers(loaded, batch)


def _asked(task: Task, item: Any) -> Asked:
    image, parameters = items.split(item)
    return Asked(task.changed(parameters) if parameters else task, items.pixels(image))


def check(parameters: Mapping[str, Any], refused: Iterable[str]) -> None:
    """Raise ValueError if one of the `refused` parameters is given: what it chooses is part of the model here."""
    if found := [name for name in refused if parameters.get(name) is not None]:
        raise ValueError(f"{found[0]} cannot be chosen: it is part of the model here")
