"""The inputs of a pipeline, one by one: their forms, and reading them ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from os import PathLike
from typing import Any, TypeVar

from ovseg_core import image_source
from ovseg_core.read_ahead import ReadAhead

IMAGE = ("image", "images", "inputs")  # the names under which transformers' pipelines take images
UNDECODED = ("bytes", "path")  # the keys of an image in `datasets` that is not decoded

Read = TypeVar("Read")
END: Any = object()


def is_one(given: Any) -> bool:
    """True if this is one input, False if it is a list, dataset, iterator or generator of inputs.

    Arrays and tensors are images, although they can be iterated.
    """
    if isinstance(given, str | bytes | PathLike | Mapping) or hasattr(given, "__array__") or hasattr(given, "getexif"):
        return True
    return not (isinstance(given, Iterable) or _is_sequence(given))


def of_each(several: Any) -> Iterator[Any]:
    """Yield the inputs, one by one. A dataset that cannot be iterated needs a length and items by index."""
    if isinstance(several, Iterable):
        return iter(several)
    return (several[i] for i in range(len(several)))


def _is_sequence(given: Any) -> bool:
    return hasattr(given, "__getitem__") and hasattr(given, "__len__")


def with_labels(given: Any, labels: Any) -> Any:
    """Return a list of images as mappings with their own labels, if `labels` is a list of lists, one for each image.

    Raises ValueError if the number of lists is not the number of images.
    """
    are_lists = isinstance(labels, list | tuple) and any(isinstance(each, list | tuple) for each in labels)
    if not (are_lists and isinstance(given, list | tuple)):
        return given
    if len(labels) != len(given):
        raise ValueError(f"there are {len(given)} images and {len(labels)} lists of candidate_labels")
    return [{"image": item, "candidate_labels": each} for item, each in zip(given, labels, strict=True)]


def split(item: Any) -> tuple[Any, dict[str, Any]]:
    """Return the image of an input, and its own parameters: those of a mapping such as {"image": ..., "boxes": ...}.

    Raises ValueError if a mapping has no image.
    """
    if not isinstance(item, Mapping):
        return item, {}
    if item and item.keys() <= set(UNDECODED):
        return next((item[key] for key in UNDECODED if item.get(key) is not None), item), {}
    name = next((name for name in IMAGE if name in item), None)
    if name is None:
        shown = ", ".join(map(str, item))
        raise ValueError(f"an input that is a mapping needs the key image; this one has only {shown or 'no keys'}")
    image, _ = split(item[name])
    return image, {key: value for key, value in item.items() if key != name}


def pixels(image: Any) -> Any:
    """Return the pixels of an image, (H, W, 3) uint8 RGB; see `image_source.read`."""
    return image_source.read(image.__array__() if _is_tensor(image) else image)


def _is_tensor(image: Any) -> bool:
    return hasattr(image, "__array__") and not hasattr(image, "getexif")


def ahead(items: Iterator[Any], read: Callable[[Any], Read], count: int) -> Generator[Read]:
    """Yield what `read` returns for each item. Another thread takes the items and reads them, at most `count` ahead.

    An error of the iterator or of `read` is raised after the items before it. Closing the generator returns
    immediately, also if the thread waits for an item.
    """

    def following() -> Any:
        item = next(items, END)
        return END if item is END else read(item)

    with closing(ReadAhead()) as thread:
        waiting = deque([thread.submit(following)])
        while True:
            while len(waiting) <= count:
                waiting.append(thread.submit(following))
            found = waiting.popleft().result()
            if found is END:
                return
            yield found
