"""The Celery app, its queues and their messages.

Celery makes the messages, in `message`, but does not send them: a Lua script pushes them, so that a record and its
message are written together. A message in a queue of jobs names no job. It is a permit to begin one.
"""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any

import uuid_utils
from celery import Celery
from kombu import Connection, Queue
from kombu.transport import memory

from configs.settings import Settings
from worker.store.broker import Broker
from worker.store.clock import in_microseconds
from worker.store.connection import broker_url, tls

SEGMENT, DELIVER = "ovseg.segment", "ovseg.deliver"  # names of the tasks

WEBHOOK_QUEUE = "webhook"
RESEND_SECONDS = 30  # if no sender has begun by then, the message of an event is considered lost, and is sent again
# The workers of both kinds take jobs from the queue of `auto`.
QUEUE_OF_DEVICE = {"auto": "segment.auto", "cpu": "segment.cpu", "gpu": "segment.gpu"}


def queues_of_worker(device: str) -> list[str]:
    """Return the queues that a worker on "cpu" or "gpu:N" takes its jobs from."""
    kind = device.partition(":")[0]
    return [QUEUE_OF_DEVICE[kind], QUEUE_OF_DEVICE["auto"]]


def create(settings: Settings) -> Celery:
    """Return the Celery app, which opens connections as needed."""
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"):
        os.environ.pop(name, None)  # with these, Celery would use another program's broker instead of ours
    app = Celery("ovseg", amqp=Broker, broker=broker_url(settings))
    app.conf.update(
        broker_use_ssl=tls(settings) or False,
        task_acks_late=True,
        task_ignore_result=True,  # the job's record has the result
        result_backend=None,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,  # a worker holds no permit that another worker could use
        worker_cancel_long_running_tasks_on_connection_loss=False,  # a running job survives a restart of Redis
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        task_create_missing_queues=True,
        broker_transport_options={
            "global_keyprefix": f"{settings.redis_prefix}q:",
            "priority_steps": [0],
            "socket_timeout": 10,
            "socket_connect_timeout": 3,
            "socket_keepalive": not settings.redis_url.startswith("unix:"),
            "health_check_interval": 10,
        },
    )
    return app


class _CapturingChannel(memory.Channel):
    captured: dict[str, Any]

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:
        self.captured = message


class _CapturingTransport(memory.Transport):
    Channel = _CapturingChannel


def message(app: Celery, task: str, queue: str, argument: str) -> str:
    """Return the message that Celery would send for `task(argument)`, as kombu stores it in a Redis list.

    Celery sends it to a channel that captures it, so every header is right for every version of Celery and kombu.
    """
    with Connection(transport=_CapturingTransport) as connection:
        channel = connection.default_channel
        with connection.Producer(channel=channel, auto_declare=False) as producer:
            app.send_task(task, args=[argument], producer=producer, queue=Queue(queue), add_to_parent=False)
        return json.dumps(channel.captured)


def permit(app: Celery, name: str) -> str:
    """Return a message that lets a worker begin one job of a queue: the one that is next then."""
    sample, *its_ids = _sample_permit(app, name)
    for each in its_ids:
        sample = sample.replace(each, str(uuid_utils.uuid4()))
    return sample


@cache
def _sample_permit(app: Celery, name: str) -> tuple[str, str, str]:
    """Return a permit, its task's id and its delivery tag. Permits of a queue differ in nothing else.

    Celery takes 0.3 ms of CPU time to make a message, and an accepted job must not cost that.
    """
    sample = message(app, SEGMENT, name, name)
    content = json.loads(sample)
    return sample, content["headers"]["id"], content["properties"]["delivery_tag"]


def resend_after() -> int:
    """Return RESEND_SECONDS in the unit that the scripts take."""
    return in_microseconds(RESEND_SECONDS)
