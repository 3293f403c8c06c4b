"""The metrics for Prometheus: the state of the whole fleet, which every gateway reads from Redis."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway import auth, operation, origin
from gateway.operation import Answer, Operation
from gateway.services import services
from worker.access.scope import Scope
from worker.process import fleet

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
        state = self._state
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
        for name, count in sorted(state.counts.items()):
            family, label = name.split()
            families[family].add_metric([label], count)
        jobs = GaugeMetricFamily("ovseg_jobs", "Jobs that have not ended, by status.", labels=["status"])
        for status, count in state.jobs.items():
            jobs.add_metric([status], count)
        workers = GaugeMetricFamily("ovseg_workers", "Live workers, by kind of device.", labels=["device"])
        for device, count in state.workers.items():
            workers.add_metric([device], count)
        shared = GaugeMetricFamily("ovseg_shared_embeddings_bytes", "Bytes of shared embeddings in storage.")
        shared.add_metric([], state.shared_embeddings_bytes)
        streams = GaugeMetricFamily("ovseg_streams", "Event streams that are open.")
        streams.add_metric([], state.streams)
        yield from (ended, embeddings, streams_ended, jobs, workers, shared, streams)
