"""The metrics for Prometheus: the state of the whole fleet, which every gateway reads from Redis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway import auth, operation, origin
from gateway.operation import Answer, Operation
from gateway.services import services
from worker.access.scope import Scope
from worker.job.record import Status
from worker.process import fleet, latencies
from worker.process.lanes import Lane

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@auth.needs(Scope.ADMIN)
@auth.open_if(lambda settings: settings.metrics_without_key)
@origin.takes_any_host(True)
@operation.describes(
    Operation("Scrape metrics", {200: Answer("Prometheus's text format.", media_types=(CONTENT_TYPE_LATEST,))})
)
def metrics() -> Response:
    """Return the metrics of the whole fleet in the format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Fleet(fleet.state(services().keyspace)))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Fleet(Collector):
    def __init__(self, state: fleet.State) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        yield from _counters(self._state.counts)
        yield from _gauges(self._state)
        yield from _of_workers(self._state)
        yield from _of_lanes(self._state.lanes)
        wait = HistogramMetricFamily("ovseg_job_wait_seconds", "How long jobs waited for their first attempt.")
        run = HistogramMetricFamily("ovseg_job_run_seconds", "How long attempts ran.")
        wait.add_metric([], latencies.buckets(self._state.latencies, latencies.WAIT), None)
        run.add_metric([], latencies.buckets(self._state.latencies, latencies.RUN), None)
        yield from (wait, run)


def _counters(counts: Mapping[str, int]) -> Iterator[Metric]:
    ended = CounterMetricFamily("ovseg_jobs_ended", "Jobs that have ended, by final status.", labels=["status"])
    embeddings = CounterMetricFamily(
        "ovseg_embeddings",
        "Jobs that succeeded, by the source of their embedding: hit, shared or miss.",
        labels=["cache"],
    )
    streams_ended = CounterMetricFamily(
        "ovseg_streams_ended", "Event streams that have ended, by the reason.", labels=["reason"]
    )
    families = {"jobs": ended, "embeddings": embeddings, "streams": streams_ended}
    for name, count in sorted(counts.items()):
        family, label = name.split()
        families[family].add_metric([label], count)
    yield from families.values()


def _gauges(state: fleet.State) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("ovseg_jobs", "Jobs that have not ended, by status.", labels=["status"])
    jobs.add_metric([Status.QUEUED], state.queued)
    jobs.add_metric([Status.RUNNING], len(state.running))
    shared = GaugeMetricFamily("ovseg_shared_embeddings_bytes", "Bytes of shared embeddings in storage.")
    shared.add_metric([], state.shared_embeddings_bytes)
    streams = GaugeMetricFamily("ovseg_streams", "Event streams that are open.")
    streams.add_metric([], state.streams)
    yield from (jobs, shared, streams)


def _of_workers(state: fleet.State) -> Iterator[Metric]:
    workers = GaugeMetricFamily("ovseg_workers", "Live workers, by kind of device.", labels=["device"])
    for device, count in state.alive.items():
        workers.add_metric([device], count)
    slots = GaugeMetricFamily("ovseg_worker_slots", "How many jobs live workers run at once.", labels=["device"])
    busy = GaugeMetricFamily("ovseg_worker_slots_busy", "Jobs that live workers run now.", labels=["device"])
    running = state.running_by_worker
    for device in sorted({worker.device for worker in state.workers}):
        of_device = [worker for worker in state.workers if worker.device == device]
        slots.add_metric([device], sum(worker.report.slots for worker in of_device))
        busy.add_metric([device], sum(len(running[worker.name]) for worker in of_device))
    yield from (workers, slots, busy)


def _of_lanes(lanes: Sequence[Lane]) -> Iterator[Metric]:
    labels = ["device", "priority"]
    queued = GaugeMetricFamily("ovseg_lane_jobs_queued", "Jobs that wait in a lane.", labels=labels)
    oldest = GaugeMetricFamily("ovseg_lane_oldest_seconds", "How long the oldest job of a lane waits.", labels=labels)
    running = GaugeMetricFamily("ovseg_lane_jobs_running", "Jobs of a lane that run.", labels=labels)
    for lane in lanes:
        queued.add_metric([lane.device, lane.priority], lane.queued)
        oldest.add_metric([lane.device, lane.priority], lane.oldest_s or 0)
        running.add_metric([lane.device, lane.priority], lane.running)
    yield from (queued, oldest, running)
