"""The cost of decoding an image in a child process, in CPU time: `python -m benchmarks.decoding`.

Each row is one file, decoded in turns in this process, as the library does, and in a child, as a worker does. The CPU
time of a decode is the sum of both processes. It includes reading every pixel once in this process, because the first
read of new memory costs time. Prints medians, and the median of each turn's difference.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from benchmarks import facts
from benchmarks.cpu_time import cpu_seconds
from configs.settings import Settings
from ovseg import demo
from ovseg_core import image
from worker.image.decoders import Decoders

SIZES = ((640, 480), (4000, 3000))
FORMATS = ("JPEG", "PNG", "WEBP")
TURNS, WARM_UP = 40, 5


def main() -> None:
    settings = Settings()
    decoders = Decoders(settings)
    pid = decoders.warm_up()  # the only child that is used
    print(", ".join(facts.machine().values()))
    print(f"CPU ms, medians of {TURNS}     here  in a child     more")
    for width, height in SIZES:
        for file_format in FORMATS:
            data = _photo(width, height, file_format)
            rows = _in_turns(data, width * height, decoders, pid, settings.max_image_pixels)
            here, child = (statistics.median(row) for row in zip(*rows, strict=True))
            more = statistics.median(child - here for here, child in rows)
            name = f"{file_format} {width} x {height}, {len(data) / 1000:,.0f} kB"
            print(f"{name:<28}{here:>7.2f}{child:>12.2f}{more:>+9.2f} ({more / here:+.1%})")
    decoders.close()


def _in_turns(
    data: bytes, pixel_count: int, decoders: Decoders, pid: int, max_pixels: int
) -> list[tuple[float, float]]:
    """Return the CPU milliseconds in this process and in a child, for each turn."""

    def here() -> np.ndarray:
        return image.decode(data, max_pixels)

    def child() -> np.ndarray:
        return decoders.decode(data, pixel_count, lambda: None)

    return [(_cost(here, pid), _cost(child, pid)) for _ in range(WARM_UP + TURNS)][WARM_UP:]


def _cost(decode: Callable[[], np.ndarray], pid: int) -> float:
    start = time.process_time() + cpu_seconds(pid)
    decode().max()
    return (time.process_time() + cpu_seconds(pid) - start) * 1000


def _photo(width: int, height: int, file_format: str) -> bytes:
    buffer = io.BytesIO()
    Image.open(demo.PHOTO).resize((width, height)).save(buffer, file_format, quality=90)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
