"""A gateway in the process of the tests, for tests that need no other settings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from configs.settings import Settings
from gateway import create_app
from gateway.services import GatewayServices


@pytest.fixture
def client(s3_settings: Settings) -> Iterator[FlaskClient]:
    with create_app(s3_settings).test_client() as client:
        yield client


@pytest.fixture
def services(client: FlaskClient) -> GatewayServices:
    found: GatewayServices = client.application.extensions["ovseg"]
    return found
