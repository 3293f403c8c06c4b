"""How long jobs waited after their worker fell silent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from tests.chaos.faults import Silence
from tests.chaos.journal import Entry


def seconds(entries: Sequence[Entry], silences: Sequence[Silence]) -> list[float]:
    """Return the seconds from a worker's silence to the next attempt of each of its jobs, in ascending order."""
    begun = {(entry.job_id, entry.attempt): entry for entry in entries if entry.word == "begin"}
    ended = {(entry.job_id, entry.attempt) for entry in entries if entry.word != "begin" and entry.now}
    by_pid = defaultdict(list)
    for silence in silences:
        by_pid[silence.pid].append(silence.at)
    found = []
    for (job_id, attempt), entry in begun.items():
        following = begun.get((job_id, attempt + 1))
        if following is None or (job_id, attempt) in ended:
            continue
        # the times at which this process was silenced during this attempt
        met = [at for at in by_pid[entry.pid] if entry.at <= at < following.at]
        if met:
            found.append(following.at - met[0])
    return sorted(found)
