"""Where a gateway may listen: elsewhere than on loopback only once it is decided whether keys are required."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.settings import Settings
from gateway import auth, create_app
from tests.support import commands

ELSEWHERE = ["0.0.0.0", "::", "192.168.1.2", "gateway.internal"]


@pytest.mark.parametrize("host", ELSEWHERE)
def test_a_gateway_listens_elsewhere_than_on_loopback_only_once_keys_are_decided(settings: Settings, host: str) -> None:
    elsewhere = settings.model_copy(update={"gateway_host": host})
    with pytest.raises(ValueError, match=r"OVSEG_AUTH=required.*OVSEG_AUTH=off") as caught:
        create_app(elsewhere)
    assert "\n" not in str(caught.value)
    assert auth.is_required(elsewhere.model_copy(update={"auth": "required"})) is True
    assert auth.is_required(elsewhere.model_copy(update={"auth": "off"})) is False


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_a_gateway_on_loopback_needs_no_keys_unless_told_so(settings: Settings, host: str) -> None:
    on_loopback = settings.model_copy(update={"gateway_host": host})
    assert auth.is_required(on_loopback) is False
    assert auth.is_required(on_loopback.model_copy(update={"auth": "required"})) is True


@pytest.mark.slow
def test_the_commands_refuse_in_one_line_that_names_both_ways_out(tmp_path: Path) -> None:
    names = ("gateway", "up", "demo")
    lines = commands.stderr_of(*names, OVSEG_DATA_DIR=str(tmp_path), OVSEG_GATEWAY_HOST="0.0.0.0")
    line = (
        "Error: the gateway would listen on 0.0.0.0 without keys: set OVSEG_AUTH=required (`ovseg keys create --admin` "
        "makes the first key), or OVSEG_AUTH=off if every client that reaches it may do everything"
    )
    assert lines == [written for name in names for written in (line, f"{name} exited with 1")]
