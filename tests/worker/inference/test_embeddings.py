"""The jobs for one image share one encoding, and no job gets the embedding of another image."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovseg_core.canvas import Frame
from ovseg_core.embedding import Embedding
from worker.inference.embeddings import Cache, Embeddings, Found
from worker.inference.recent_embeddings import RecentEmbeddings
from worker.inference.unshared import Unshared
from worker.inference.urgency import Urgency
from worker.job.attempt import Stopped


class Encoder:
    """Makes embeddings of 4 bytes, each the number of its image."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.urgencies: list[Urgency] = []

    def encode(self, model: str, picture: np.ndarray, urgency: Urgency) -> tuple[Embedding, float]:
        self.urgencies.append(urgency)
        self.calls.append((model, int(picture[0])))
        return Embedding(model, (picture.astype(np.float32),), Frame((1, 1), 64)), 5.0

    def fingerprint(self, model: str) -> str:
        return "weights"

    def is_costly(self, model: str) -> bool:
        return False


def picture(file: bytes) -> np.ndarray:
    return np.array([int.from_bytes(file, "big")])


def of_process(encoder: Encoder, max_bytes: int) -> Embeddings[Embedding]:
    return Embeddings(encoder, Unshared(), RecentEmbeddings(max_bytes))


def embedding_of(embeddings: Embeddings[Embedding], model: str, file: bytes) -> Found[Embedding]:
    return embeddings.of(model, sha256(file).hexdigest(), lambda: picture(file))


@given(st.integers(0, 5), st.lists(st.tuples(st.sampled_from("ab"), st.binary(min_size=1, max_size=1)), max_size=30))
def test_the_embedding_is_always_of_the_requested_image_and_model(room: int, wanted: list[tuple[str, bytes]]) -> None:
    encoder = Encoder()
    embeddings = of_process(encoder, max_bytes=4 * room)
    for model, file in wanted:
        calls = len(encoder.calls)
        embedding, cache, milliseconds = embedding_of(embeddings, model, file)
        assert embedding.model == model
        assert embedding.features[0] == picture(file)
        assert (cache, milliseconds) == ((Cache.HIT, 0) if len(encoder.calls) == calls else (Cache.MISS, 5))
    assert len(encoder.calls) >= len(set(wanted))


def test_an_embedding_stays_until_another_needs_its_space() -> None:
    embeddings, first = of_process(Encoder(), max_bytes=4), sha256(b"1").hexdigest()
    assert not embeddings.has("m", first)
    embedding_of(embeddings, "m", b"1")
    assert embeddings.has("m", first)
    assert not embeddings.has("n", first)
    embedding_of(embeddings, "m", b"2")
    assert not embeddings.has("m", first)


def test_the_least_recently_used_embedding_is_evicted() -> None:
    encoder = Encoder()
    embeddings = of_process(encoder, max_bytes=8)
    for file in (b"1", b"2", b"1", b"3", b"1", b"2"):
        embedding_of(embeddings, "m", file)
    assert [call[1] for call in encoder.calls] == [ord("1"), ord("2"), ord("3"), ord("2")]


def test_images_that_pass_by_in_bulk_evict_no_embedding_that_another_job_has_used() -> None:
    encoder = Encoder()
    embeddings = of_process(encoder, max_bytes=4 * 4)

    def of(file: bytes, urgency: Urgency) -> Cache:
        return embeddings.of("m", sha256(file).hexdigest(), partial(picture, file), urgency=urgency).cache

    of(b"1", Urgency.BULK)
    assert of(b"1", Urgency.NORMAL) == Cache.HIT  # from now on no longer of jobs in bulk only
    of(b"2", Urgency.INTERACTIVE)
    for number in range(10, 30):
        assert of(bytes([number]), Urgency.BULK) == Cache.MISS
        assert of(bytes([number]), Urgency.BULK) == Cache.HIT
    assert of(bytes([28]), Urgency.BULK) == Cache.HIT  # half of the space is theirs
    assert of(b"1", Urgency.NORMAL) == of(b"2", Urgency.NORMAL) == Cache.HIT
    for number in range(30, 33):
        of(bytes([number]), Urgency.NORMAL)
    assert of(bytes([29]), Urgency.BULK) == Cache.MISS  # they have no claim to the half


def test_jobs_in_bulk_may_use_the_space_that_no_other_job_needs() -> None:
    encoder = Encoder()
    embeddings = of_process(encoder, max_bytes=4 * 4)
    for _ in range(2):
        for number in range(4):
            embeddings.of("m", str(number), partial(picture, bytes([number])), urgency=Urgency.BULK)
    assert len(encoder.calls) == 4


def test_jobs_at_the_same_time_wait_for_one_encoding() -> None:
    encoder, all_here = Encoder(), threading.Barrier(8, timeout=30)

    def slowly() -> np.ndarray:
        reached.wait(30)
        return picture(b"1")

    def ask() -> Found[Embedding]:
        all_here.wait()
        return embeddings.of("m", sha256(b"1").hexdigest(), slowly)

    embeddings, reached = of_process(encoder, max_bytes=100), threading.Event()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(ask) for _ in range(8)]
        reached.set()
        found = [answer.result(30) for answer in answers]
    assert len(encoder.calls) == 1
    assert len({id(each.embedding) for each in found}) == 1
    assert sorted(each.milliseconds for each in found) == [0.0] * 7 + [5.0]


def test_a_failed_encoding_is_tried_again_by_the_next_job() -> None:
    def broken() -> np.ndarray:
        raise ValueError("half a picture")

    encoder = Encoder()
    embeddings = of_process(encoder, max_bytes=100)
    with pytest.raises(ValueError, match="half a picture"):
        embeddings.of("m", sha256(b"1").hexdigest(), broken)
    assert embedding_of(embeddings, "m", b"1").embedding.features[0] == picture(b"1")


def test_loading_a_model_does_not_delay_another_model() -> None:
    class Loading(Encoder):
        def fingerprint(self, model: str) -> str:
            if model == "large":
                begun.set()
                assert loaded.wait(30)
            return "weights"

    begun, loaded = threading.Event(), threading.Event()
    embeddings = of_process(Loading(), max_bytes=100)
    with ThreadPoolExecutor(2) as pool:
        large = pool.submit(embeddings.has, "large", sha256(b"1").hexdigest())
        assert begun.wait(30)
        small = pool.submit(embedding_of, embeddings, "small", b"1")
        try:
            assert small.result(10).cache == Cache.MISS
        finally:
            loaded.set()
        assert not large.result(30)


def test_a_job_stopped_during_its_encoding_does_not_stop_the_jobs_that_wait_for_it() -> None:
    begun, stop = threading.Event(), threading.Event()

    def stopped() -> np.ndarray:
        begun.set()
        assert stop.wait(30)
        raise Stopped("canceled")

    encoder = Encoder()
    embeddings = of_process(encoder, max_bytes=100)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(embeddings.of, "m", sha256(b"1").hexdigest(), stopped)
        assert begun.wait(30)
        second = pool.submit(embedding_of, embeddings, "m", b"1")
        stop.set()
        assert isinstance(first.exception(30), Stopped)
        assert second.result(30).embedding.features[0] == picture(b"1")


def test_a_job_that_waits_for_the_encoding_of_another_can_be_stopped() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly() -> np.ndarray:
        begun.set()
        assert go_on.wait(30)
        return picture(b"1")

    def stopped() -> None:
        raise Stopped("timeout")

    embeddings = of_process(Encoder(), max_bytes=100)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(embeddings.of, "m", sha256(b"1").hexdigest(), slowly)
        assert begun.wait(30)
        with pytest.raises(Stopped):
            embeddings.of("m", sha256(b"1").hexdigest(), lambda: picture(b"1"), check=stopped)
        go_on.set()
        assert first.result(30).cache is Cache.MISS


def test_an_encoding_is_as_urgent_as_its_job() -> None:
    encoder = Encoder()
    embeddings = of_process(encoder, max_bytes=100)
    for file, urgency in ((b"1", Urgency.BULK), (b"2", Urgency.INTERACTIVE)):
        embeddings.of("m", sha256(file).hexdigest(), partial(picture, file), urgency=urgency)
    assert encoder.urgencies == [Urgency.BULK, Urgency.INTERACTIVE]


def test_only_a_job_that_waits_for_the_encoding_of_another_lends_its_slot() -> None:
    begun, go_on, lends = threading.Event(), threading.Event(), threading.Event()
    steps: list[str] = []

    def slowly() -> np.ndarray:
        begun.set()
        assert go_on.wait(30)
        return picture(b"1")

    @contextmanager
    def waiting() -> Iterator[None]:
        steps.append("lends")
        lends.set()
        yield
        steps.append("takes again")

    def found(file: bytes, read: Callable[[], np.ndarray]) -> Found[Embedding]:
        return embeddings.of("m", sha256(file).hexdigest(), read, waiting=waiting)

    embeddings = of_process(Encoder(), max_bytes=100)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(found, b"1", slowly)
        assert begun.wait(30)
        assert steps == []  # this job makes the embedding itself
        second = pool.submit(found, b"1", partial(picture, b"1"))
        assert lends.wait(30)
        assert steps == ["lends"]
        go_on.set()
        assert first.result(30).cache is Cache.MISS
        assert second.result(30).cache is Cache.HIT
    assert steps == ["lends", "takes again"]
    found(b"1", partial(picture, b"1"))  # known
    assert len(steps) == 2
