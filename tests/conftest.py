"""Real servers for the tests: Valkey and SeaweedFS from the wheels, the whole service as `ovseg up` runs it."""

from __future__ import annotations

import functools
import logging
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import botocore.session
import hypothesis
import pytest
from flask.testing import FlaskClient

from configs import webhook_secret
from configs.settings import Settings
from gateway import create_app
from ovseg.child import Child
from ovseg.embedded.seaweedfs import BUCKET, Seaweedfs
from tests.support import contract, fakes, lone_gateway, own_valkey, pieces, slow
from tests.support.fakes import Host
from tests.support.lone_gateway import LoneGateway
from tests.support.service import Service
from tests.support.waiting import wait_until
from worker.job.jobs import Jobs
from worker.store import queue
from worker.store.keyspace import Keyspace
from worker.webhook.deliver import SenderServices
from worker.webhook.endpoints import Endpoints
from worker.webhook.events import Events

WEBHOOK_SECRET = webhook_secret.new()

# A machine that is busy elsewhere is slow, not wrong.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return pieces.Pieces(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest pieces first; and what is slow is marked so."""
    items.sort(key=lambda item: pieces.place(item.path.relative_to(pieces.FOLDER)))
    for item in items:
        file, fixtures = item.path.relative_to(pieces.FOLDER), getattr(item, "fixturenames", ())
        if "service" in fixtures and pieces.of(file) != "service":
            raise pytest.UsageError(f"{file} uses the fixture `service`: add it to tests/support/pieces.py")
        if slow.is_slow(file, fixtures):
            item.add_marker(pytest.mark.slow)


def pytest_sessionfinish() -> None:
    """Gateways that tests made in this process have lost their Valkey now, and would say so until the last of the
    processes of `make test` ends."""
    logging.disable()


@pytest.fixture(scope="session", autouse=True)
def _botocore_reads_its_files_once() -> Iterator[None]:
    """For each new client botocore reads a megabyte of JSON (0.1 s of CPU) and looks into the folders of 400 services
    (0.02 s), and tests open more than a thousand clients. So all share one loader of files.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session", autouse=True)
def _answers_are_as_documented() -> Iterator[None]:
    """Every answer that a test gets in this process is compared with the OpenAPI document."""
    send = FlaskClient.open

    def open_and_check(client: FlaskClient, *args: Any, **kwargs: Any) -> Any:
        answer = send(client, *args, **kwargs)
        if "ovseg" in client.application.extensions:
            asked = answer.request
            url_map = client.application.url_map
            contract.check(url_map, asked.method, asked.path, answer.status_code, answer.headers, answer.get_data())
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FlaskClient, "open", open_and_check)
        yield


def ignore(label: str, line: str) -> None:
    pass


@pytest.fixture(scope="session", autouse=True)
def translations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Networks that tests translate stay with the tests, and are translated once for all their processes."""
    ours = tmp_path_factory.getbasetemp()
    shared = ours.parent if "PYTEST_XDIST_WORKER" in os.environ else ours
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OVSEG_ENGINES_DIR", str(shared / "engines"))
        yield


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Valkey of our own."""
    with own_valkey.running(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweedfs]:
    """A SeaweedFS of our own, its credentials in the environment as boto3 looks for them."""
    weed = Seaweedfs(tmp_path_factory.mktemp("seaweedfs"))
    server = Child(weed.command(), ignore)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in weed.credentials.items():
            patch.setenv(name, value)
        try:
            wait_until(weed.is_ready)
            yield weed
        finally:
            server.ask_to_end()
            server.end_by(time.monotonic() + 10)
            weed.remove_sockets()


@contextmanager
def _emptied(settings: Settings) -> Iterator[Settings]:
    """Yield settings of a corner of Valkey, and empty the corner at the end.

    A gateway archives a job half a second after it accepted it. By then another test may run with the same bucket,
    whose archive must not contain this job.
    """
    yield settings
    with Keyspace.open(settings) as keyspace:
        if keys := keyspace.redis.keys(keyspace.key("*")):
            keyspace.redis.delete(*keys)


@pytest.fixture
def settings(redis_url: str) -> Iterator[Settings]:
    """Settings of a test's own corner of Valkey."""
    prefix = f"test-{uuid.uuid4().hex[:8]}:"
    with _emptied(Settings(redis_url=redis_url, redis_prefix=prefix, webhook_secret=WEBHOOK_SECRET)) as settings:
        yield settings


@pytest.fixture
def s3_settings(settings: Settings, s3: Seaweedfs) -> Settings:
    return settings.model_copy(update={"s3_endpoint_url": s3.endpoint_url, "s3_bucket": BUCKET})


@pytest.fixture
def keyspace(settings: Settings) -> Iterator[Keyspace]:
    with Keyspace.open(settings) as keyspace:
        yield keyspace


@pytest.fixture
def jobs(keyspace: Keyspace, settings: Settings) -> Jobs:
    return Jobs(keyspace, queue.create(settings), settings)


@pytest.fixture
def events(keyspace: Keyspace, settings: Settings) -> Events:
    return Events(keyspace, queue.create(settings), settings)


@pytest.fixture
def endpoints(keyspace: Keyspace, settings: Settings) -> Endpoints:
    return Endpoints(keyspace, settings)


@pytest.fixture
def host() -> Iterator[Host]:
    """A web host that no setting allows."""
    with fakes.host() as state:
        yield state


@pytest.fixture
def sender(keyspace: Keyspace, s3_settings: Settings, host: Host) -> SenderServices:
    """What delivers to `host`."""
    settings = s3_settings.model_copy(update={"allowed_private_hosts": (host.address,)})
    return SenderServices.open(settings, keyspace, queue.create(settings))


@pytest.fixture(scope="session")
def trusted_host() -> Iterator[Host]:
    """A web host that the service's settings name as allowed."""
    with fakes.host() as state:
        yield state


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, trusted_host: Host) -> Iterator[Service]:
    """`ovseg up`, shared by all tests that only look at it from outside."""
    running = Service(
        tmp_path_factory.mktemp("service"),
        {
            "OVSEG_ALLOWED_PRIVATE_HOSTS": trusted_host.address,
            "OVSEG_FETCH_TIMEOUT_SECONDS": "5",  # tests wait for it, and a busy machine must fetch a photo within it
            "OVSEG_MODELS_DIR": str(tmp_path_factory.mktemp("models")),  # none of this machine's
            "OVSEG_WEBHOOK_SECRET": WEBHOOK_SECRET,
        },
    )
    try:
        yield running.wait_until_ready()
    finally:
        running.stop()


@pytest.fixture(scope="session")
def gateway(redis_url: str, s3: Seaweedfs) -> Iterator[LoneGateway]:
    """Alone, with four threads, and less patience than a real one. What is submitted stays queued."""
    settings = Settings(
        redis_url=redis_url, redis_prefix="lone:", s3_endpoint_url=s3.endpoint_url, s3_bucket=BUCKET, gateway_threads=4
    )
    with lone_gateway.running(settings) as running:
        yield running


@pytest.fixture(scope="module")
def asked(redis_url: str, s3: Seaweedfs, request: pytest.FixtureRequest) -> Iterator[FlaskClient]:
    """On the real Valkey and SeaweedFS, without a worker; the same for all tests of a module."""
    settings = Settings(
        redis_url=redis_url,
        redis_prefix=f"test-{request.module.__name__}:",
        s3_endpoint_url=s3.endpoint_url,
        s3_bucket=BUCKET,
        webhook_secret=WEBHOOK_SECRET,
        paddlex_timeout_seconds=0.1,
    )
    with _emptied(settings), create_app(settings).test_client() as client:
        yield client
