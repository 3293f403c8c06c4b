"""`ovseg recover`: restore tenants, API keys, endpoints, batches and jobs to a new Redis, from object storage."""

from __future__ import annotations

from collections import Counter

import click

from ovseg import access, local_servers
from worker.batch.recovery import BatchRecovery
from worker.inference import eviction
from worker.job.recovery import Recovery
from worker.store import queue
from worker.store.record_archive import RecordArchive
from worker.store.storage import Storage


def run(notify_since_seconds: float) -> None:
    with access.opened() as (keyspace, settings):
        storage = Storage(local_servers.with_storage(settings))
        records = RecordArchive(keyspace, storage).restore()
        recovery = Recovery(keyspace, queue.create(settings), settings, storage)
        lost = recovery.lost()
        came_back: Counter[bool] = Counter()
        with click.progressbar(lost, label=f"{len(lost)} jobs") as bar:
            for job in bar:
                if recovery.restore(job, notify_since_seconds):
                    came_back[job.has_ended] += 1
        batches = BatchRecovery(keyspace, storage).restore(notify_since_seconds)
        eviction.delete_unlisted(keyspace, storage)
    if records:
        click.echo(f"{records} tenants, API keys, webhook endpoints and batches are restored")
    if batches:
        click.echo(f"{batches} batches are restored, jobs are made of their other items")
    click.echo(f"{came_back[False]} jobs are queued again, {came_back[True]} finished jobs are restored")
