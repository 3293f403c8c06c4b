"""The events of a batch: one when it completes, and some about its progress, each under one id; on real servers."""

from __future__ import annotations

import pytest
from standardwebhooks import Webhook as Verifier

from tests.support import contract, protocol
from tests.support.fakes import Host
from worker.access.scope import ORDINARY
from worker.batch.item import Item, job_id_of
from worker.batch.own_webhook import BatchWebhook
from worker.job.event_type import OF_BATCHES, EventType
from worker.services import Services
from worker.store import tenant
from worker.webhook import deliver
from worker.webhook.deliver import SenderServices

SECONDS_BETWEEN = 10


@pytest.fixture
def services(sender: SenderServices) -> Services:
    return Services(sender.settings)


def submit(services: Services, batch_id: str, names: str, webhook: BatchWebhook | None = None) -> None:
    services.batches.create(batch_id, webhook)
    services.batches.add(batch_id, [Item(name, protocol.request(priority="bulk")) for name in names])
    services.batches.seal(batch_id)
    services.feeder.sweep()


def end(services: Services, batch_id: str, names: str) -> None:
    for name in names:
        job = protocol.begin(services.jobs, job_id_of(batch_id, name))
        assert services.jobs.succeed(job, protocol.PICTURE, {}, 1) == "succeeded"


def due(services: Services) -> list[str]:
    """Return the ids of all events that wait for their first delivery."""
    return [event_id for event_id, _ in services.keyspace.first("events:due", float("inf"), 100)]


def let_progress_be_due(services: Services, batch_id: str) -> None:
    key = services.keyspace.key(f"batch_counts:{batch_id}")
    services.keyspace.redis.hincrby(key, "notified_at", -SECONDS_BETWEEN * 1_000_000)


def test_completion_is_notified_once_and_signed(sender: SenderServices, services: Services, host: Host) -> None:
    submit(services, "b", "ab", BatchWebhook(url=host.serve("/batch")))
    end(services, "b", "a")
    assert due(services) == []
    end(services, "b", "b")
    submit(services, "b", "ab")  # sent again: nothing is new
    assert due(services) == ["evt_b_completed"]
    deliver.deliver("evt_b_completed", sender)
    (received,) = host.wait_for("/batch")
    message = Verifier(str(sender.settings.webhook_secret)).verify(received.body, received.headers)
    assert received.headers["webhook-id"] == "evt_b_completed"
    assert (message["type"], message["data"]["id"], message["data"]["status"]) == ("batch.completed", "b", "completed")
    assert message["data"]["counts"]["succeeded"] == 2
    assert (message["endpoint_id"], message["urls"]) == (None, {"job": None, "batch": "/v1/batches/b"})
    sent = contract.built()["webhooks"]["batch.completed"]["post"]["requestBody"]
    assert contract.errors(sent["content"]["application/json"]["schema"], message) == []


def test_progress_is_notified_at_most_every_ten_seconds(services: Services, host: Host) -> None:
    submit(services, "b", "abcdef", BatchWebhook(url=host.serve("/batch"), events=OF_BATCHES))
    end(services, "b", "abc")
    assert due(services) == ["evt_b_progress_1"]
    let_progress_be_due(services, "b")
    end(services, "b", "de")
    assert sorted(due(services)) == ["evt_b_progress_1", "evt_b_progress_4"]
    end(services, "b", "f")
    assert sorted(due(services)) == ["evt_b_completed", "evt_b_progress_1", "evt_b_progress_4"]


def test_a_batch_that_was_open_again_completes_under_another_event(services: Services, host: Host) -> None:
    submit(services, "b", "a", BatchWebhook(url=host.serve("/batch")))
    end(services, "b", "a")
    submit(services, "b", "ab")
    end(services, "b", "b")
    assert sorted(due(services)) == ["evt_b_completed", "evt_b_completed_1"]


@pytest.mark.parametrize(("chosen", "count"), [(OF_BATCHES, 2), (("batch.completed",), 1), (("job.failed",), 0)])
def test_endpoints_of_the_tenant_are_notified_of_what_they_chose(
    services: Services, chosen: tuple[EventType, ...], count: int
) -> None:
    mine = protocol.endpoint(services.endpoints, events=chosen)
    submit(services, "acme.b", "ab")
    end(services, "acme.b", "ab")
    assert due(services) == []  # of another tenant
    submit(services, "b", "ab")
    end(services, "b", "ab")
    histories, _ = services.events.of_endpoint(mine.id, 10, None)
    assert [each.event.id for each in histories] == [
        f"evt_b_completed_{mine.id}",
        f"evt_b_progress_1_{mine.id}",
    ][:count]
    assert {each.event.batch_id for each in histories} <= {"b"}


def test_a_canceled_batch_is_notified_when_all_its_jobs_have_ended(
    sender: SenderServices, services: Services, host: Host
) -> None:
    services.keys.create("", ORDINARY, tenant="acme")  # makes the tenant, with its secret
    submit(services, "acme.b", "ab", BatchWebhook(url=host.serve("/batch")))
    services.batches.cancel("acme.b")
    assert due(services) == []
    services.feeder.sweep()
    assert due(services) == ["acme.evt_b_completed"]
    deliver.deliver("acme.evt_b_completed", sender)
    (received,) = host.wait_for("/batch")
    assert b'"status": "canceled"' in received.body
    assert received.headers["webhook-id"] == tenant.shown("acme.evt_b_completed")


def test_the_events_of_a_deleted_batch_are_deleted(sender: SenderServices, services: Services, host: Host) -> None:
    submit(services, "b", "a", BatchWebhook(url=host.serve("/batch")))
    end(services, "b", "a")
    services.batches.delete("b")
    deliver.deliver("evt_b_completed", sender)  # it is given up: it has no receiver
    services.feeder.sweep()
    assert services.events.get("evt_b_completed") is None
    assert host.received == []
