"""A gateway in the process of the tests, for tests that need no other settings, and what others need of one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from configs.settings import Settings
from gateway import create_app
from gateway.services import GatewayServices
from tests.support import silent_redis
from tests.support.silent_redis import SilentRedis
from worker.access.keys import Keys
from worker.store.keyspace import Keyspace
from worker.store.record_archive import RECORDS


@pytest.fixture
def client(s3_settings: Settings) -> Iterator[FlaskClient]:
    with create_app(s3_settings).test_client() as client:
        yield client


@pytest.fixture
def services(client: FlaskClient) -> GatewayServices:
    found: GatewayServices = client.application.extensions["ovseg"]
    return found


@pytest.fixture
def required(s3_settings: Settings) -> Settings:
    """Return the settings of a gateway that requires keys."""
    return s3_settings.model_copy(update={"auth": "required"})


@pytest.fixture
def keys(keyspace: Keyspace) -> Keys:
    return Keys(keyspace)


@pytest.fixture
def silent() -> Iterator[SilentRedis]:
    with silent_redis.running() as running:
        yield running


@pytest.fixture
def no_copies_of_uploads(services: GatewayServices) -> Iterator[None]:
    """Delete the copies of the records of uploads before and after a test: all tests share the bucket."""
    services.storage.delete_prefix(f"{RECORDS}upload/")
    yield
    services.storage.delete_prefix(f"{RECORDS}upload/")
