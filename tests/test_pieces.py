"""How the tests are shared out among processes, and which are slow."""

from __future__ import annotations

import pytest

from tests.support import pieces, slow

NAMED = {*pieces.OF_SERVICE, *pieces.LONGEST, *pieces.ONE_BY_ONE, *slow.FILES} - {"service"}


@pytest.mark.parametrize("name", sorted(NAMED))
def test_what_the_lists_name_is_there(name: str) -> None:
    assert list(pieces.FOLDER.glob(f"{name}*")), f"tests/{name} is gone; tests/support/pieces.py or slow.py names it"
