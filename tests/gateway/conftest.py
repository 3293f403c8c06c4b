"""A gateway alone, for all tests that need no worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.embedded.seaweedfs import BUCKET, Seaweedfs
from configs.settings import Settings
from tests import lone_gateway
from tests.lone_gateway import LoneGateway


@pytest.fixture(scope="session")
def gateway(redis_url: str, s3: Seaweedfs) -> Iterator[LoneGateway]:
    """With four threads, and less patience than a real one. What is submitted stays queued."""
    settings = Settings(
        redis_url=redis_url, redis_prefix="lone:", s3_endpoint_url=s3.endpoint_url, s3_bucket=BUCKET, gateway_threads=4
    )
    with lone_gateway.running(settings) as running:
        yield running
