"""Image files are decoded in child processes: the limits of a file, and what happens if a child dies or hangs."""

from __future__ import annotations

import contextlib
import io
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from configs.settings import Settings
from ovseg_core import header, image
from ovseg_core.errors import OvsegError
from tests.support import bombs, decoder_without_counts, pictures
from tests.support.processes import children, is_gone
from tests.support.waiting import wait_until
from worker.image.decoder import KEPT_FILE_BYTES, KEPT_PIXEL_BYTES, PROGRAM
from worker.image.decoders import MEMORY_BYTES, Decoders

MEGAPIXELS_80 = 80_000_000


class Interrupted(Exception):
    """The exception that `check` of a canceled job raises."""


def go_on() -> None:
    pass


@contextlib.contextmanager
def decoders_of(program: Sequence[str] = PROGRAM, **changed: object) -> Iterator[Decoders]:
    decoders = Decoders(Settings.model_validate(changed), program)
    try:
        yield decoders
    finally:
        decoders.close()


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with decoders_of() as made:
        yield made


@pytest.fixture(scope="module")
def countless() -> Iterator[Decoders]:
    """Decoders whose children count no costs and have a second of CPU time for a file."""
    with decoders_of(decoder_without_counts.PROGRAM, decode_seconds=1) as made:
        yield made


def decoding_children() -> set[int]:
    return {pid for pid in children(os.getpid()) if b"decod" in Path(f"/proc/{pid}/cmdline").read_bytes()}


# A child returns the pixels and errors of the library


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM"])
def test_a_child_returns_the_same_pixels_and_header_as_the_library(decoders: Decoders, file_format: str) -> None:
    data = pictures.noise(37, 61, file_format)
    assert np.array_equal(decoders.decode(data, 37 * 61, go_on), image.decode(data, MEGAPIXELS_80))
    assert decoders.header(data, go_on) == header.read(data, MEGAPIXELS_80)


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", pictures.photo()[:9000], pictures.png_of_400_megapixels()], ids=lambda data: len(data)
)
def test_a_child_raises_the_same_error_as_the_library(decoders: Decoders, data: bytes) -> None:
    with pytest.raises(OvsegError) as here:
        image.decode(data, MEGAPIXELS_80)
    with pytest.raises(OvsegError) as child:
        decoders.decode(data, 512 * 512, go_on)
    for error in (here.value, child.value):
        error.message = re.sub("0x[0-9a-f]+", "0x", error.message)
    assert vars(child.value) == vars(here.value)


def test_an_image_in_use_does_not_change_while_others_are_decoded(decoders: Decoders) -> None:
    files = [pictures.noise(20, 30, seed=seed) for seed in range(4)]
    held = [decoders.decode(data, 20 * 30, go_on) for data in files]
    views = [picture[5:, ::2].T for picture in held]  # a view of a view also keeps the image in use
    expected = [view.copy() for view in views]
    del held
    for _ in range(4):
        decoders.decode(pictures.noise(20, 30, seed=9), 20 * 30, go_on)
    assert all(np.array_equal(view, wanted) for view, wanted in zip(views, expected, strict=True))


def test_children_are_reused_and_at_most_one_is_kept_for_each_concurrent_job() -> None:
    with decoders_of(worker_concurrency=2) as decoders:
        before = decoding_children()
        held = [decoders.decode(pictures.photo(), 512 * 512, go_on) for _ in range(3)]
        assert len(decoding_children() - before) == 3
        del held
        kept = decoding_children() - before
        assert len(kept) == 2
        for _ in range(5):
            decoders.decode(pictures.photo(), 512 * 512, go_on)
        assert decoding_children() - before == kept
    assert decoding_children() == before


# The limits of a file

COSTLY: dict[str, Callable[[], bytes]] = {
    # Without limits each file takes several seconds of CPU time, or twice the memory that a file may use.
    "bmp_rle_ends_of_line": bombs.bmp_rle_ends_of_line,
    "jpeg_progressive_scans": lambda: bombs.jpeg_progressive_scans(4000, 4000, 5000),
    "ppm_comments": bombs.ppm_comments,
    "tiff_tile": lambda: bombs.tiff_tile(16_384),
    "tiff_strips": lambda: bombs.tiff_strips(1_000_000),
    "bmp_rle_empty_runs": bombs.bmp_rle_empty_runs,
}


@pytest.mark.parametrize("name", COSTLY)
def test_a_file_made_to_be_costly_ends_at_a_limit_even_without_the_decoders_own_counts(
    countless: Decoders, name: str
) -> None:
    data = COSTLY[name]()
    pixel_count = MEGAPIXELS_80 if name.startswith("bmp_rle_ends") else 16_000_000 if name.startswith("jpeg_p") else 1
    with pytest.raises(OvsegError) as refused:
        countless.decode(data, pixel_count, go_on)
    assert (refused.value.code, refused.value.field) == ("image_too_costly", "image")
    assert np.array_equal(  # the next file is decoded as usual
        countless.decode(pictures.photo(), 512 * 512, go_on), np.asarray(Image.open(io.BytesIO(pictures.photo())))
    )


def test_reading_a_header_has_the_same_limits(countless: Decoders) -> None:
    with pytest.raises(OvsegError) as refused:
        countless.header(bombs.jpeg_fill_bytes(), go_on)
    assert refused.value.code == "image_too_costly"


def test_the_memory_limit_depends_on_the_image_s_own_pixels(countless: Decoders) -> None:
    pid = countless.warm_up()
    with pytest.raises(OvsegError, match="MB of memory"):
        countless.decode(bombs.tiff_tile(16_384), 16 * 16, go_on)
    status = Path(f"/proc/{pid}/status").read_text()
    peak_kilobytes = int(re.findall(r"VmHWM:\s+(\d+)", status)[0])
    assert peak_kilobytes * 1024 < 2 * MEMORY_BYTES


@pytest.mark.parametrize(
    "make",
    [
        lambda: bombs.webp_flat(8900, 8900),
        lambda: pictures.encoded(Image.new("RGB", (8900, 8900), "red"), "JPEG", progressive=True),
        lambda: pictures.encoded(Image.new("RGBA", (8900, 8900), "red"), "PNG", compress_level=1),
        lambda: pictures.encoded(Image.new("RGB", (8900, 8900), "red"), "TIFF", compression="tiff_lzw"),
        lambda: pictures.encoded(Image.new("1", (8900, 8900), 1), "BMP"),
        lambda: pictures.encoded(Image.new("1", (8900, 8900), 1), "PPM"),
    ],
    ids=["WebP", "JPEG", "PNG", "TIFF", "BMP", "PNM"],
)
def test_a_valid_file_of_the_largest_size_is_decoded_and_its_memory_is_released(
    decoders: Decoders, make: Callable[[], bytes]
) -> None:
    picture = decoders.decode(make(), 8900 * 8900, go_on)
    assert picture.shape == (8900, 8900, 3)
    assert picture[0, 0].tolist() == picture[-1, -1].tolist()
    assert shared_memory_bytes() >= picture.nbytes
    del picture
    kept_bytes = Settings().worker_concurrency * (KEPT_PIXEL_BYTES + KEPT_FILE_BYTES)
    assert shared_memory_bytes() <= kept_bytes < 3 * 8900 * 8900


def shared_memory_bytes() -> int:
    """The shared memory that all decoders of this process use together, not the size of its mappings."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if "memfd:ovseg-decoder" in str(link.readlink()):
                found.append(512 * link.stat().st_blocks)
    assert found
    return sum(found)


# A child that hangs or dies


def test_check_can_interrupt_a_decoder_that_hangs_and_its_child_ends(countless: Decoders) -> None:
    before, seen = decoding_children(), []

    def check() -> None:
        seen.append(decoding_children() - before)
        if len(seen) == 8:  # `check` is also called while the child starts
            raise Interrupted

    with pytest.raises(Interrupted):
        countless.decode(decoder_without_counts.HANGS, 1, check)
    assert not decoding_children() - before - set().union(*seen)
    wait_until(lambda: all(is_gone(pid) for pid in set().union(*seen)))


def test_a_decoder_that_hangs_ends_at_its_time_limit() -> None:
    with (
        decoders_of(decoder_without_counts.PROGRAM, decode_seconds=0.1) as decoders,
        pytest.raises(OvsegError) as refused,
    ):
        decoders.decode(decoder_without_counts.HANGS, 1, go_on)
    assert refused.value.code == "image_too_costly"


def test_a_file_whose_child_is_killed_once_is_decoded_by_another(countless: Decoders, tmp_path: Path) -> None:
    data = decoder_without_counts.FALLS_ONCE + bytes(tmp_path / "fell")
    assert countless.decode(data, 40 * 30, go_on).shape == (30, 40, 3)
    assert (tmp_path / "fell").exists()


def test_a_file_that_crashes_two_children_is_unreadable(countless: Decoders) -> None:
    with pytest.raises(OvsegError) as refused:
        countless.decode(decoder_without_counts.CRASHES, 1, go_on)
    assert (refused.value.code, refused.value.field) == ("image_unreadable", "image")


def test_a_file_whose_children_are_killed_twice_is_not_reported_as_unreadable(countless: Decoders) -> None:
    """The kernel kills children if memory runs out; the image may be valid, and the job is retried."""
    with pytest.raises(RuntimeError, match="out of memory"):
        countless.decode(decoder_without_counts.IS_KILLED, 1, go_on)


def test_idle_children_that_are_killed_are_replaced(decoders: Decoders) -> None:
    held = [decoders.decode(pictures.photo(), 512 * 512, go_on) for _ in range(3)]
    del held
    killed = decoding_children()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    for _ in range(3):
        assert decoders.decode(pictures.photo(), 512 * 512, go_on).shape == (512, 512, 3)
    assert not decoding_children() & killed


def test_a_child_that_cannot_start_is_an_error_of_the_service_not_of_the_file(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with decoders_of(("-c", "raise SystemExit('no NumPy here')")) as decoders, pytest.raises(RuntimeError):
        decoders.decode(pictures.photo(), 512 * 512, go_on)
    assert "no NumPy here" in capfd.readouterr().err


def test_other_files_are_decoded_while_a_child_hangs() -> None:
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise Interrupted

    with decoders_of(decoder_without_counts.PROGRAM) as decoders, ThreadPoolExecutor(4) as threads:
        hanging = [threads.submit(decoders.decode, decoder_without_counts.HANGS, 1, check) for _ in range(3)]
        assert decoders.decode(pictures.photo(), 512 * 512, go_on).shape == (512, 512, 3)
        assert not any(job.done() for job in hanging)
        stop.set()
        assert all(isinstance(job.exception(), Interrupted) for job in hanging)


WORKER = """
import os, sys, threading, time
from configs.settings import Settings
from tests.support import decoder_without_counts as program
from worker.image.decoders import Decoders

decoders = Decoders(Settings(), program.PROGRAM)
file = program.HANGS_ONCE + sys.argv[1].encode()
threading.Thread(target=decoders.decode, args=(file, 1, lambda: None), daemon=True).start()
print(decoders.warm_up(), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_children_die_with_their_worker_even_while_they_decode(number: signal.Signals, tmp_path: Path) -> None:
    mark = tmp_path / "hung"
    with subprocess.Popen([sys.executable, "-c", WORKER, str(mark)], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()

        wait_until(mark.exists)
        wait_until(lambda: len(children(worker.pid)) == 2)
        pids = children(worker.pid)
        worker.send_signal(number)
    wait_until(lambda: all(is_gone(pid) for pid in pids))


def test_a_child_has_no_credentials_writes_no_core_file_and_ignores_signals_to_the_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    core = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (core[1], core[1]))
    with decoders_of() as decoders:
        pid = decoders.warm_up()
        decoders.decode(pictures.photo(), 512 * 512, go_on)
        assert b"hush" not in Path(f"/proc/{pid}/environ").read_bytes()
        limits = Path(f"/proc/{pid}/limits").read_text()
        resource.setrlimit(resource.RLIMIT_CORE, core)
        assert re.search(r"Max core file size +0 ", limits)
        os.kill(pid, signal.SIGTERM)  # a supervisor sends this to all processes of a service
        os.kill(pid, signal.SIGINT)
        decoders.decode(pictures.photo(), 512 * 512, go_on)
        assert not is_gone(pid)


@pytest.mark.parametrize(("of_worker", "of_child"), [(0, 500), (1000, 1000)])
def test_the_oom_score_of_a_child_is_at_least_500_and_never_below_its_worker_s(of_worker: int, of_child: int) -> None:
    score = Path("/proc/self/oom_score_adj")
    before = score.read_text()
    if int(before) > of_worker:
        pytest.skip("this process may not lower its own score")
    score.write_text(str(of_worker))
    try:
        with decoders_of() as decoders:
            pid = decoders.warm_up()
            decoders.decode(pictures.photo(), 512 * 512, go_on)
            assert int(Path(f"/proc/{pid}/oom_score_adj").read_text()) == of_child
    finally:
        score.write_text(before)
