"""An API key may have limits of its own, which admins set and change over HTTP and on the command line."""

from __future__ import annotations

import logging

import pytest
from click.testing import CliRunner, Result
from werkzeug.test import TestResponse

from configs.settings import Settings
from ovseg.commands import main
from tests.gateway.test_rate_limits import ask, refused, standing, submit, with_keys
from worker.access.api_key import KeyText
from worker.access.keys import Keys
from worker.access.rates import MAXIMUM, Rates
from worker.access.scope import ORDINARY, Scope


def test_a_key_may_have_limits_of_its_own(s3_settings: Settings, keys: Keys) -> None:
    client, admin = with_keys(s3_settings, requests=50, prompts=3), keys.create("", [Scope.ADMIN])
    fields = {"requests_per_minute": 2, "prompts_per_minute": 7}
    made = ask(client, admin, "/v1/keys", method="POST", json=fields).get_json()
    assert {name: made[name] for name in fields} == fields
    key = KeyText.parse(made["key"])
    answer = submit(client, 7, key)
    assert (answer.status_code, standing(answer, "requests")["q"], standing(answer, "prompts")["q"]) == (202, 2, 7)
    ask(client, key)
    refused(ask(client, key), "requests")
    plain = ask(client, admin, "/v1/keys", method="POST", json={}).get_json()
    assert (plain["requests_per_minute"], plain["prompts_per_minute"]) == (None, None)
    for wrong in (0, -1, 1.5, "2", True, MAXIMUM + 1):
        answer = ask(client, admin, "/v1/keys", method="POST", json={"requests_per_minute": wrong})
        assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "requests_per_minute"), wrong


def test_an_admin_changes_the_limits_of_a_key_and_nothing_else_of_it(
    s3_settings: Settings, keys: Keys, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client, admin = with_keys(s3_settings, requests=50), keys.create("", [Scope.ADMIN])
    key = keys.create("camera 7", ORDINARY, rates=Rates(2, 7))
    before = ask(client, admin, f"/v1/keys/{key.id}").get_json()

    def change(key_id: str = key.id, **rates: object) -> TestResponse:
        return ask(client, admin, f"/v1/keys/{key_id}", method="PATCH", json=rates)

    for rates, left in (
        ({"requests_per_minute": 5}, (5, 7)),
        ({"prompts_per_minute": None}, (5, None)),
        ({"requests_per_minute": None, "prompts_per_minute": 9}, (None, 9)),
        ({}, (None, 9)),
    ):
        after = {**before, "requests_per_minute": left[0], "prompts_per_minute": left[1]}
        assert change(**rates).get_json() == after
        found = keys.get(key.id)
        assert found is not None
        assert found.rates == Rates(*left)
    [act, *_] = [message for message in caplog.messages if message.startswith("audit:")]
    assert act == f"audit: by key {admin.id} from 127.0.0.1: changed key {key.id}: requests_per_minute 5"
    for wrong, field in (({"requests_per_minute": 0}, "requests_per_minute"), ({"scopes": ["admin"]}, "scopes")):
        answer = change(**wrong)
        assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, field)
    assert change("0" * 16, requests_per_minute=5).status_code == 404
    change(requests_per_minute=1)
    other = with_keys(s3_settings, requests=50)  # a second gateway; it reads the key now for the first time
    assert ask(other, key).status_code == 200
    refused(ask(other, key), "requests")


def test_the_command_line_changes_limits_of_keys(settings: Settings, keys: Keys) -> None:
    redis = {"OVSEG_REDIS_URL": settings.redis_url, "OVSEG_REDIS_PREFIX": settings.redis_prefix}
    text = keys.create("", ORDINARY, rates=Rates(2, 7))

    def change(*arguments: str) -> Result:
        return CliRunner(env=redis).invoke(main, ["keys", "change", *arguments])

    done = change(text.id, "--requests-per-minute", "60", "--prompts-per-minute", "default")
    assert done.stdout == f"{text.id}: requests_per_minute 60, prompts_per_minute default\n"
    assert f"changed key {text.id}: requests_per_minute 60" in done.stderr
    found = keys.get(text.id)
    assert found is not None
    assert found.rates == Rates(60, None)
    for wrong in ([text.id], [text.id, "--requests-per-minute", "0"], ["0" * 16, "--requests-per-minute", "1"]):
        assert change(*wrong).exit_code != 0, wrong


def test_the_command_line_makes_keys_with_limits_of_their_own(settings: Settings, keys: Keys) -> None:
    redis = {"OVSEG_REDIS_URL": settings.redis_url, "OVSEG_REDIS_PREFIX": settings.redis_prefix}
    arguments = ["keys", "create", "--requests-per-minute", "60", "--prompts-per-minute", "500"]
    text = KeyText.parse(CliRunner(env=redis).invoke(main, arguments).stdout.strip())
    assert text is not None
    key = keys.get(text.id)
    assert key is not None
    assert key.rates == Rates(60, 500)
    listed = CliRunner(env=redis).invoke(main, ["keys", "list"]).stdout
    assert listed.endswith("never used  requests_per_minute 60  prompts_per_minute 500\n")
