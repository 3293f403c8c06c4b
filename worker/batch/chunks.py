"""The manifest of a batch in object storage: compressed chunks of items, each item as one line of JSON."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence

from worker.batch.item import Item
from worker.store.storage import Storage

FOLDER = "batches/"
# With 150 to 300 bytes an item, a chunk has about 100 kB, and ten times less when it is compressed.
MAX_ITEMS, MAX_BYTES = 500, 1_000_000
LEVEL = 1  # higher levels take three times the CPU time and save little


def prefix_of(batch_id: str) -> str:
    """Return the prefix of everything that is stored for a batch."""
    return f"{FOLDER}{batch_id}/"


def _folder(batch_id: str) -> str:
    return f"{prefix_of(batch_id)}items/"


def write(storage: Storage, batch_id: str, number: int, lines: Sequence[str]) -> None:
    """Store a chunk of items, which are lines of JSON."""
    data = gzip.compress("\n".join(lines).encode(), LEVEL, mtime=0)
    storage.put(f"{_folder(batch_id)}{number:08d}.ndjson.gz", data, "application/gzip")


def read(storage: Storage, batch_id: str, number: int) -> list[Item]:
    """Return the items of a chunk. Raises ObjectMissing."""
    data = gzip.decompress(storage.get(f"{_folder(batch_id)}{number:08d}.ndjson.gz"))
    return [Item.of_line(line) for line in data.split(b"\n")]


def numbers(storage: Storage, batch_id: str) -> Iterator[int]:
    """Yield the numbers of all chunks in storage, in order."""
    for key in storage.list(_folder(batch_id)):
        yield int(key.removeprefix(_folder(batch_id)).partition(".")[0])


def owns(number: int, listed: str | None) -> bool:
    """True if an item that Redis lists like this belongs to a chunk. Another chunk may contain it, too.

    An item whose job was erased before a recovery belongs to no chunk, and every chunk shows it.
    """
    return listed is not None and listed.partition(" ")[0] in (str(number), "0")
