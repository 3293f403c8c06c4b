"""One encoding for the whole fleet: several workers with their own caches, a real Valkey and a real S3 server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256

import numpy as np
import pytest

from configs.settings import Settings
from ovseg_core.canvas import Frame
from ovseg_core.embedding import Embedding
from worker.inference import eviction
from worker.inference.embeddings import Cache, Embeddings, Found
from worker.inference.recent_embeddings import RecentEmbeddings
from worker.inference.shared_embeddings import SharedEmbeddings
from worker.inference.urgency import Urgency
from worker.process.roster import Roster
from worker.store import object_names
from worker.store.keyspace import Keyspace
from worker.store.storage import Storage

SLOW, FAST = 1000.0, 5.0  # milliseconds


class Encoder:
    """Counts its encodings, and waits for `go` before it answers."""

    def __init__(self, milliseconds: float = SLOW, weights: str = "weights") -> None:
        self.milliseconds, self.weights = milliseconds, weights
        self.encoded = 0
        self.begun, self.go = threading.Event(), threading.Event()
        self.go.set()

    def encode(self, model: str, image_rgb: np.ndarray, urgency: Urgency) -> tuple[Embedding, float]:
        self.begun.set()
        assert self.go.wait(30)
        self.encoded += 1
        return Embedding(model, (image_rgb.astype(np.float32) / 3, np.ones(2, np.float32)), Frame((2, 3), 64)), (
            self.milliseconds
        )

    def fingerprint(self, model: str) -> str:
        return self.weights

    def is_costly(self, model: str) -> bool:
        return self.milliseconds == SLOW


class Worker:
    """A worker whose own cache keeps nothing, so that it always asks the shared cache."""

    def __init__(
        self, keyspace: Keyspace, settings: Settings, name: str, encoder: Encoder, shared_in: Keyspace | None = None
    ) -> None:
        self.roster = Roster(keyspace, settings, name, "cpu")
        self.roster.enter()
        self.shared = SharedEmbeddings(shared_in or keyspace, settings, Storage(settings), self.roster.line)
        self.embeddings = Embeddings(encoder, self.shared, RecentEmbeddings(0))

    def of(
        self, file: bytes, model: str = "m", is_to_share: bool = False, urgency: Urgency = Urgency.NORMAL
    ) -> Found[Embedding]:
        return self.embeddings.of(model, sha256(file).hexdigest(), lambda: picture(file), is_to_share, urgency)


def picture(file: bytes) -> np.ndarray:
    return np.frombuffer(file, np.uint8)


def stored(keyspace: Keyspace) -> list[str]:
    return list(keyspace.redis.zrange(keyspace.key("embeddings"), 0, -1))


def test_a_worker_finds_the_same_embedding_that_another_worker_encoded(
    keyspace: Keyspace, s3_settings: Settings
) -> None:
    encoder = Encoder()
    first, second = (Worker(keyspace, s3_settings, name, encoder) for name in "ab")
    made, found = first.of(b"one"), second.of(b"one")
    assert (made.cache, made.milliseconds) == (Cache.MISS, SLOW)
    assert (found.cache, found.milliseconds) == (Cache.SHARED, 0)
    assert found.embedding.frame == made.embedding.frame
    for ours, theirs in zip(found.embedding.features, made.embedding.features, strict=True):
        assert ours.dtype == theirs.dtype == np.float32
        assert (ours == theirs).all()
    assert encoder.encoded == 1


def test_workers_at_the_same_time_wait_for_one_encoding(keyspace: Keyspace, s3_settings: Settings) -> None:
    encoder = Encoder(FAST)
    encoder.go.clear()
    workers = [Worker(keyspace, s3_settings, f"w{n}", encoder) for n in range(4)]
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(workers[n % 4].of, b"popular") for n in range(16)]
        assert encoder.begun.wait(30)
        threading.Event().wait(0.3)  # the others ask the shared cache, and wait
        encoder.go.set()
        found = [answer.result(30) for answer in answers]
    assert encoder.encoded == 1
    assert [each.cache for each in found].count(Cache.MISS) == 1
    assert {each.embedding.features[0].tobytes() for each in found} == {found[0].embedding.features[0].tobytes()}


def test_a_job_that_waits_for_the_encoding_of_another_worker_lends_its_slot(
    keyspace: Keyspace, s3_settings: Settings
) -> None:
    steps: list[str] = []
    lends = threading.Event()

    @contextmanager
    def waiting() -> Iterator[None]:
        steps.append("lends")
        lends.set()
        yield
        steps.append("takes again")

    def found(worker: Worker) -> Found[Embedding]:
        return worker.embeddings.of("m", sha256(b"one").hexdigest(), lambda: picture(b"one"), waiting=waiting)

    slow = Encoder()
    slow.go.clear()
    first, second = (Worker(keyspace, s3_settings, name, slow) for name in "ab")
    with ThreadPoolExecutor(2) as pool:
        made = pool.submit(found, first)
        assert slow.begun.wait(30)
        waits = pool.submit(found, second)
        assert lends.wait(30)
        assert steps == ["lends"]
        slow.go.set()
        assert made.result(30).cache == Cache.MISS
        assert waits.result(30).cache == Cache.SHARED
    assert steps == ["lends", "takes again"]


def test_a_costly_embedding_of_a_job_in_bulk_is_stored_only_at_its_second_request(
    keyspace: Keyspace, s3_settings: Settings
) -> None:
    workers = [Worker(keyspace, s3_settings, name, Encoder(SLOW)) for name in "ab"]
    for n in range(3):
        assert workers[0].of(b"once %d" % n, urgency=Urgency.BULK).cache == Cache.MISS
    assert stored(keyspace) == []
    for worker in workers:
        assert worker.of(b"twice", urgency=Urgency.BULK).cache == Cache.MISS
    assert len(stored(keyspace)) == 1


def test_a_cheap_embedding_is_stored_at_its_second_request_or_if_the_client_asks(
    keyspace: Keyspace, s3_settings: Settings
) -> None:
    encoder = Encoder(FAST)
    workers = [Worker(keyspace, s3_settings, name, encoder) for name in "abc"]
    assert workers[0].of(b"x").cache == Cache.MISS
    assert stored(keyspace) == []
    assert workers[1].of(b"x").cache == Cache.MISS
    assert len(stored(keyspace)) == 1
    assert workers[2].of(b"x").cache == Cache.SHARED
    assert workers[0].of(b"asked for", is_to_share=True).cache == Cache.MISS
    assert workers[1].of(b"asked for").cache == Cache.SHARED


def test_another_image_model_or_weights_get_another_embedding(keyspace: Keyspace, s3_settings: Settings) -> None:
    encoder, other = Encoder(), Encoder(weights="other weights")
    first, second = Worker(keyspace, s3_settings, "a", encoder), Worker(keyspace, s3_settings, "b", other)
    for file in (b"one", b"two"):
        for model in ("m", "n"):
            for worker in (first, second):
                found = worker.of(file, model)
                assert found.cache == Cache.MISS
                assert found.embedding.model == model
                assert (found.embedding.features[0] == (picture(file).astype(np.float32) / 3).astype(np.float16)).all()


def test_a_stored_embedding_that_was_swapped_damaged_or_lost_is_made_again(
    keyspace: Keyspace, s3_settings: Settings
) -> None:
    encoder, storage = Encoder(), Storage(s3_settings)
    worker = Worker(keyspace, s3_settings, "a", encoder)
    worker.of(b"one")
    worker.of(b"two")
    keys = [object_names.embedding(key) for key in stored(keyspace)]
    datas = [storage.get(key) for key in keys]
    spoil: list[Callable[[], None]] = [
        lambda: storage.put(keys[0], datas[1], ""),  # the embedding of another image
        lambda: storage.put(keys[0], datas[0][:-30], ""),
        lambda: storage.put(keys[0], datas[0][:-200] + bytes(100) + datas[0][-100:], ""),
        lambda: storage.delete([keys[0]]),
    ]
    for n, make_useless in enumerate(spoil):
        make_useless()
        found = worker.of(b"one")
        assert found.cache == Cache.MISS
        assert (found.embedding.features[0] == (picture(b"one").astype(np.float32) / 3).astype(np.float16)).all()
        assert encoder.encoded == 3 + n
        assert worker.of(b"one").cache == Cache.SHARED


def test_no_worker_waits_for_an_embedding_of_a_dead_worker(keyspace: Keyspace, s3_settings: Settings) -> None:
    settings = s3_settings.model_copy(update={"lease_seconds": 0.5})
    dead, alive = (Worker(keyspace, settings, name, Encoder()) for name in ("dead", "alive"))
    key = dead.embeddings.key("m", sha256(b"one").hexdigest())
    assert dead.shared.find(key) is None  # this worker must make the embedding, and dies
    assert alive.of(b"one").cache == Cache.MISS


def test_after_a_failed_encoding_another_worker_encodes_the_image(keyspace: Keyspace, s3_settings: Settings) -> None:
    def broken() -> np.ndarray:
        raise ValueError("half a picture")

    first, second = (Worker(keyspace, s3_settings, name, Encoder()) for name in "ab")
    with pytest.raises(ValueError, match="half a picture"):
        first.embeddings.of("m", sha256(b"one").hexdigest(), broken)
    assert second.of(b"one").cache == Cache.MISS


def test_without_redis_or_storage_each_worker_encodes_for_itself(keyspace: Keyspace, s3_settings: Settings) -> None:
    nowhere = s3_settings.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:9"})
    assert Worker(keyspace, nowhere, "a", Encoder()).of(b"one").cache == Cache.MISS
    assert Worker(keyspace, nowhere, "b", Encoder()).of(b"one").cache == Cache.MISS

    unreachable = Keyspace.open(s3_settings.model_copy(update={"redis_url": "redis://127.0.0.1:9/0"}))
    worker = Worker(keyspace, s3_settings, "c", Encoder(), shared_in=unreachable)
    assert worker.of(b"two").cache == Cache.MISS


def test_nothing_is_shared_if_the_shared_cache_has_no_space(keyspace: Keyspace, s3_settings: Settings) -> None:
    settings = s3_settings.model_copy(update={"shared_embeddings_megabytes": 0})
    first, second = (Worker(keyspace, settings, name, Encoder()) for name in "ab")
    assert [worker.of(b"one").cache for worker in (first, second)] == [Cache.MISS, Cache.MISS]
    assert stored(keyspace) == []


def test_the_least_recently_used_shared_embeddings_are_evicted_if_there_are_too_many(
    keyspace: Keyspace, s3_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, storage = Encoder(), Storage(s3_settings)
    worker = Worker(keyspace, s3_settings, "a", encoder)
    for file in (b"1", b"2", b"3"):
        worker.of(file)
    worker.of(b"1")
    total = int(keyspace.redis.get(keyspace.key("embedding_bytes")))
    monkeypatch.setattr(eviction, "MEGABYTE", total - 1)
    settings = s3_settings.model_copy(update={"shared_embeddings_megabytes": 1})
    before = stored(keyspace)
    eviction.sweep(keyspace, settings, storage)
    assert stored(keyspace) == before[1:]
    assert not storage.exists(object_names.embedding(before[0]))
    assert int(keyspace.redis.get(keyspace.key("embedding_bytes"))) < total
    assert worker.of(b"1").cache == Cache.SHARED
    assert worker.of(b"2").cache == Cache.MISS


def test_a_shared_embedding_that_was_not_used_for_long_is_evicted(keyspace: Keyspace, s3_settings: Settings) -> None:
    storage, worker = Storage(s3_settings), Worker(keyspace, s3_settings, "a", Encoder())
    worker.of(b"1")
    [key] = stored(keyspace)
    eviction.sweep(keyspace, s3_settings, storage)
    assert stored(keyspace) == [key]
    keyspace.redis.zincrby(keyspace.key("embeddings"), -(s3_settings.shared_embeddings_seconds + 1) * 1e6, key)
    eviction.sweep(keyspace, s3_settings, storage)
    assert stored(keyspace) == []
    assert not storage.exists(object_names.embedding(key))
    assert int(keyspace.redis.get(keyspace.key("embedding_bytes"))) == 0


def test_a_stored_embedding_that_redis_does_not_list_is_deleted(keyspace: Keyspace, s3_settings: Settings) -> None:
    storage, worker = Storage(s3_settings), Worker(keyspace, s3_settings, "a", Encoder())
    worker.of(b"lost")
    worker.of(b"listed")
    lost, listed = stored(keyspace)
    keyspace.redis.zrem(keyspace.key("embeddings"), lost)
    assert eviction.delete_unlisted(keyspace, storage) >= 1
    assert not storage.exists(object_names.embedding(lost))
    assert storage.exists(object_names.embedding(listed))
