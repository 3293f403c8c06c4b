"""Admins make, show, list, rotate and revoke API keys, over HTTP and on the command line."""

from __future__ import annotations

import logging

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from configs.settings import Settings
from gateway import create_app
from ovseg.commands import main
from tests.gateway.test_keys import ask, code
from worker.access.api_key import KeyText
from worker.access.keys import Keys
from worker.access.scope import Scope


@pytest.fixture
def client(required: Settings) -> FlaskClient:
    return create_app(required).test_client()


@pytest.fixture
def admin(keys: Keys) -> KeyText:
    return keys.create("the first", [Scope.ADMIN])


def test_an_admin_makes_shows_rotates_and_revokes_keys(
    client: FlaskClient, admin: KeyText, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ends = "2099-01-02T03:04:05Z"
    fields = {"name": "camera 7", "scopes": ["jobs:read", "jobs:write"], "expires_at": ends}
    answer = ask(client, "POST /v1/keys", admin, json=fields)
    made = answer.get_json()
    text = made.pop("key")
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/v1/keys/{made['id']}")
    assert made["scopes"] == ["jobs:write", "jobs:read"]
    assert (made["name"], made["status"], made["expires_at"]) == ("camera 7", "live", "2099-01-02T03:04:05.000000Z")
    assert ask(client, f"GET /v1/keys/{made['id']}", admin).get_json() == made
    assert ask(client, "GET /v1/keys", admin).get_json()["keys"][0] == made
    assert code(ask(client, "GET /v1/jobs", text)) is None

    rotated = ask(client, f"POST /v1/keys/{made['id']}/rotate", admin).get_json()
    assert rotated["key"] != text
    assert rotated["old_secret_until"] is not None
    revoked = ask(client, f"POST /v1/keys/{made['id']}/revoke", admin).get_json()
    assert revoked["status"] == "revoked"
    assert ask(client, f"POST /v1/keys/{made['id']}/revoke", admin).get_json() == revoked
    assert ask(client, f"POST /v1/keys/{made['id']}/rotate", admin).get_json()["code"] == "key_revoked"

    acts = [record.message for record in caplog.records if record.message.startswith("audit:")]
    assert [act.partition(": ")[2].partition(": ")[2] for act in acts] == [
        f"created key {made['id']} of tenant default (jobs:write jobs:read)",
        f"rotated key {made['id']}",
        f"revoked key {made['id']}",
        f"revoked key {made['id']}",
    ]
    assert all(f"by key {admin.id} from 127.0.0.1" in act for act in acts)
    assert text not in caplog.text


def test_keys_are_listed_in_pages(client: FlaskClient, admin: KeyText, keys: Keys) -> None:
    made = [admin.id, *(keys.create("", [Scope.JOBS_READ]).id for _ in range(4))]
    found: list[str] = []
    path = "/v1/keys?limit=2"
    for _ in range(3):
        page = ask(client, f"GET {path}", admin).get_json()
        found += [key["id"] for key in page["keys"]]
        path = f"/v1/keys?limit=2&cursor={page['next_cursor']}"
    assert found == made[::-1]
    assert page["next_cursor"] is None


WRONG_FIELDS = [
    ({"scope": ["admin"]}, "scope", "unknown_field"),
    ({"scopes": ["everything"]}, "scopes[0]", "invalid_value"),
    ({"scopes": []}, "scopes", "invalid_value"),
    ({"scopes": "admin"}, "scopes", "invalid_value"),
    ({"scopes": ["admin"] * 33}, "scopes", "invalid_value"),
    ({"name": 7}, "name", "invalid_value"),
    ({"name": "a" * 257}, "name", "invalid_value"),
    ({"expires_at": "tomorrow"}, "expires_at", "invalid_value"),
    ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at", "invalid_value"),
    ({"expires_at": "9999-12-31T23:59:59-01:00"}, "expires_at", "invalid_value"),  # the year 10000 in UTC
]


def test_a_key_with_a_wrong_field_is_not_made(client: FlaskClient, admin: KeyText) -> None:
    for fields, field, expected in WRONG_FIELDS:
        answer = ask(client, "POST /v1/keys", admin, json=fields)
        assert answer.status_code == 422, fields
        assert [(each["field"], each["code"]) for each in answer.get_json()["errors"]] == [(field, expected)]
    assert len(ask(client, "GET /v1/keys", admin).get_json()["keys"]) == 1


@pytest.mark.slow
def test_the_first_admin_key_comes_from_the_command_line_which_needs_only_redis(
    required: Settings, client: FlaskClient
) -> None:
    redis = {
        "OVSEG_REDIS_URL": required.redis_url,
        "OVSEG_REDIS_PREFIX": required.redis_prefix,
        "OVSEG_S3_ENDPOINT_URL": "http://127.0.0.1:9",
    }

    def run(*arguments: str) -> Result:
        return CliRunner(env=redis).invoke(main, ["keys", *arguments])

    made = run("create", "--admin", "--name", "root")
    text = KeyText.parse(made.stdout.strip())
    assert text is not None
    assert made.stderr.strip().endswith(f"created key {text.id} of tenant default (admin)")
    assert ask(client, "GET /v1/keys", text).get_json()["keys"][0]["name"] == "root"

    rotated = KeyText.parse(run("rotate", text.id).stdout.strip())
    assert rotated is not None
    assert code(ask(client, "GET /v1/keys", text)) is code(ask(client, "GET /v1/keys", rotated)) is None
    assert run("revoke", text.id).exit_code == 0
    (line,) = run("list").stdout.splitlines()
    assert line.startswith(f"{text.id}  default  revoked  admin  never expires  used ")
    assert text.secret not in line
    assert run("revoke", "nonsense").stderr == "Error: there is no key 'nonsense'\n"
