"""The open event streams of a gateway process."""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from redis import RedisError

from gateway.live.duty import Duty
from gateway.live.followed import Followed
from gateway.live.message import Message
from gateway.live.stream import End, Stream
from gateway.live.subject import Subject
from ovseg_core.errors import OvsegError
from worker.access.quota import QuotaExceeded
from worker.access.scope import Scope
from worker.process import open_streams
from worker.services import Services
from worker.store.feeds import KEPT_SECONDS, Feeds, published

log = logging.getLogger(__name__)

OPEN_STREAMS = "open-streams"  # the name of the policy
RETRY_SECONDS = 10
# The threads that read jobs and results for messages.
THREADS = 4
# Twice this time after a key was revoked or has expired, its streams are closed.
CHECK_SECONDS = 0.5
FEEDS_PER_CALL = 100  # that one call of a script follows
# How often the places of queued jobs are read, and of how many: a place takes Redis about 20 us. If more jobs are
# followed, those that are read are chosen at random.
PLACES_SECONDS, PLACES_AT_ONCE = 2.0, 200
NUMBERS_SECONDS = 5.0


class Live:
    """Sends the events of feeds to the streams of this process. Thread-safe.

    One thread is subscribed to this process's channel in Redis, to which scripts publish the events of the feeds that
    the process follows. If the subscription breaks, or messages cannot be made, the feeds are stale: the thread reads
    the missed entries from Redis as soon as it can.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._name = uuid.uuid4().hex
        self._feeds = Feeds(services.keyspace, self._name)
        self.max_streams = services.settings.max_streams  # the server reduces it, if it has fewer connections
        self._followed: dict[str, Followed] = {}
        self._open: Counter[str] = Counter()  # streams by payer
        self._ended: Counter[str] = Counter()  # closed since the last report, by End
        self._is_leaving = False
        self._lock = threading.Lock()
        self._makers = ThreadPoolExecutor(THREADS, "live")
        self._listener: threading.Thread | None = None
        self._duties = (
            Duty(CHECK_SECONDS, self._check_keys),
            Duty(CHECK_SECONDS, self._work_on_stale),
            Duty(KEPT_SECONDS / 5, self._renew),
            Duty(PLACES_SECONDS, lambda: self._makers.submit(self._show_places)),
            Duty(NUMBERS_SECONDS, self._report_numbers),
        )

    def open(self, subject: Subject, stream: Stream) -> str:
        """Let a stream follow a feed: its messages wait until `Stream.start`. Returns the id of the feed's last entry.

        Raises QuotaExceeded, OvsegError `unavailable`, RedisError.
        """
        with self._lock:
            self._check_room(stream)
            followed = self._followed.setdefault(subject.feed, Followed(subject))
            followed.streams.add(stream)
            self._open[stream.payer] += 1
            if self._listener is None:  # not earlier: gunicorn forks after it has made the application
                self._listener = threading.Thread(target=self._listen, name="live", daemon=True)
                self._listener.start()
        try:
            last_id = self._feeds.follow([subject.feed])[subject.feed]
        except BaseException:
            stream.end(End.FAILED)
            self.close(stream)
            raise
        with self._lock:
            followed.last_id = followed.last_id or last_id
        return last_id

    def close(self, stream: Stream) -> None:
        """Forget a stream that is no longer sent. Call this once for each stream."""
        with self._lock:
            followed = self._followed[stream.feed]
            followed.streams.remove(stream)
            if not followed.streams:
                del self._followed[stream.feed]
            self._open[stream.payer] -= 1
            if not self._open[stream.payer]:
                del self._open[stream.payer]
            self._ended[str(stream.end_reason)] += 1
        seconds = time.monotonic() - stream.opened_at
        log.info("%s: closed after %.1f s and %d events: %s", stream.label, seconds, stream.sent, stream.end_reason)

    def leave(self) -> None:
        """End all streams, because this process stops. Their clients connect again, to another process."""
        with self._lock:
            self._is_leaving = True
            for stream in self._streams():
                stream.end(End.GATEWAY_STOPS)

    def _streams(self) -> list[Stream]:
        return [stream for followed in self._followed.values() for stream in followed.streams]

    def _check_room(self, stream: Stream) -> None:
        if self._is_leaving or self._open.total() >= self.max_streams:
            why = "stops" if self._is_leaving else f"has {self.max_streams:,} open streams, which is the maximum"
            raise OvsegError("unavailable", f"this gateway {why}; try again soon")
        quota = self._services.settings.max_streams_per_key
        if self._open[stream.payer] >= quota:
            message = f"{quota:,} streams of this key are open, which is the maximum; close others first"
            raise QuotaExceeded(OPEN_STREAMS, quota, 0, message, RETRY_SECONDS)

    # The thread that listens

    def _listen(self) -> None:
        while True:
            try:
                self._follow()
            except Exception as error:  # usually an outage of Redis; without this thread no stream gets an event
                log.warning("no live events, trying again: %s: %s", type(error).__name__, error)
                time.sleep(1)

    def _follow(self) -> None:
        with self._services.keyspace.redis.pubsub() as news:
            news.subscribe(self._feeds.channel)
            while True:
                message = news.get_message(timeout=CHECK_SECONDS)
                if message is not None and message["type"] == "subscribe":
                    self._make_stale()
                elif message is not None:
                    self._add(message["data"])
                for duty in self._duties:
                    duty.do_if_due()

    def _add(self, message: str) -> None:
        feed, entry = published(message)
        with self._lock:
            if followed := self._followed.get(feed):
                followed.add(entry)
                self._work_on(followed)

    def _make_stale(self) -> None:
        with self._lock:
            for followed in self._followed.values():
                followed.make_stale()

    def _work_on_stale(self) -> None:
        with self._lock:
            for followed in self._followed.values():
                self._work_on(followed)

    def _renew(self) -> None:
        with self._lock:
            names = list(self._followed)
        for first in range(0, len(names), FEEDS_PER_CALL):
            self._feeds.follow(names[first : first + FEEDS_PER_CALL])

    def _check_keys(self) -> None:
        """End the streams whose key is revoked, has expired, or has another secret, or whose session has ended."""
        with self._lock:
            opened = [(stream, stream.credential) for stream in self._streams() if stream.credential is not None]
        now = datetime.now(UTC)
        keys = {key.id: key for key in self._services.keys.several(sorted({sent.key_id for _, sent in opened}))}
        sessions = self._services.sessions.existing({sent.session for _, sent in opened if sent.session is not None})
        for stream, sent in opened:
            key = keys.get(sent.key_id)
            is_live = key is not None and key.status(now) == "live" and key.has_secret(sent.secret_hash, now)
            is_open = sent.session is None or sent.session in sessions
            if key is None or not (is_live and is_open) or not key.allows(Scope.JOBS_READ):
                stream.end(End.KEY_INVALID)

    def _report_numbers(self) -> None:
        """Record for the metrics how many streams are open, and how those ended that were closed lately."""
        with self._lock:
            ended, self._ended, is_open = self._ended, Counter(), self._open.total()
        try:
            open_streams.report(self._services.keyspace, self._name, is_open, ended)
        except RedisError as error:  # also if Redis can only be read: that must not interrupt the events
            log.warning("the number of streams is not recorded: %s", error)
            with self._lock:
                self._ended.update(ended)

    # The threads that make messages

    def _show_places(self) -> None:
        with self._lock:
            all_followed = list(self._followed.values())
        try:
            for followed in random.sample(all_followed, min(len(all_followed), PLACES_AT_ONCE)):
                messages = followed.subject.moved()
                with self._lock:
                    followed.send(messages)
        except RedisError as error:
            log.warning("the places of queued jobs are not read: %s", error)

    def _work_on(self, followed: Followed) -> None:
        """Make a thread work on a feed, unless one does. The caller has the lock."""
        if followed.has_work and not followed.is_busy:
            followed.is_busy = True
            self._makers.submit(self._make, followed)

    def _make(self, followed: Followed) -> None:
        try:
            with self._lock:
                is_stale, followed.is_stale = followed.is_stale, False
                entries, last_id = followed.take(), followed.last_id
            subject = followed.subject
            messages = self._missed(subject, last_id) if is_stale else subject.messages(entries)
            with self._lock:
                followed.send(messages)
        except Exception as error:  # an outage of Redis or storage
            log.warning("live events of %s are late: %s: %s", followed.subject.feed, type(error).__name__, error)
            with self._lock:
                followed.make_stale()
        finally:
            with self._lock:
                followed.is_busy = False
                if not followed.is_stale:
                    self._work_on(followed)

    def _missed(self, subject: Subject, last_id: str) -> list[Message]:
        """Return the messages after the last entry that all streams of a feed have; none before the first `follow`."""
        newest = self._feeds.follow([subject.feed])[subject.feed]
        return self.first(subject, last_id, newest) if last_id else []

    def first(self, subject: Subject, last_id: str, newest: str) -> list[Message]:
        """Return the messages after an entry of the feed; or if they are lost or `last_id` is '', the present state.

        `newest` is the id of an entry of the feed, no later than the state.
        """
        missed = self.since(subject, last_id) if last_id else None
        if missed is not None:
            return missed
        lost = [Message.of("gap", {})] if last_id else []
        present = subject.present()
        if present is None:
            return [*lost, Message.of(subject.deleted, subject.named, newest, is_last=True)]
        return [*lost, Message.of(subject.state, present.data, newest, is_last=present.is_final)]

    def since(self, subject: Subject, last_id: str) -> list[Message] | None:
        """Return the messages after an entry of the feed; None if some of them may be lost."""
        entries = self._feeds.since(subject.feed, last_id)
        return None if entries is None else subject.messages(entries)
