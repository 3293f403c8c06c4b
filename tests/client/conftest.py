"""A client of the shared service, and a photo for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ovseg_client import Client
from tests.support import pictures
from tests.support.service import Service


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.url) as client:
        yield client


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    (tmp_path / "photo.jpg").write_bytes(pictures.photo())
    return tmp_path / "photo.jpg"
