"""Signatures with ed25519 keys: a real receiver verifies them with public keys only, as docs/webhooks.md shows."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from configs import webhook_secret, webhook_signing_key
from configs.settings import Settings
from gateway import create_app
from tests.support import protocol
from tests.support.fakes import Host, Received
from tests.support.hooks import is_signed_by
from worker.access.keys import Keys
from worker.access.scope import ORDINARY
from worker.store import tenant
from worker.store.keyspace import Keyspace
from worker.webhook import deliver, signature, signing_keys
from worker.webhook.deliver import SenderServices

KEYS = "/.well-known/ovseg-webhook-keys.json"
HOOK = "/hook"
OLD, NEW = webhook_signing_key.new(), webhook_signing_key.new()
PAGE = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text()

# Each program reads {"body", "headers", "keys"}, the last as JSON Web Keys, and calls what the page defines.
PYTHON = """
import sys
read = json.loads(sys.stdin.read())
verify(read["body"].encode(), read["headers"], [key["whpk"] for key in read["keys"]])
"""
NODE = """
import { readFileSync } from "node:fs";
const read = JSON.parse(readFileSync(0));
verify(Buffer.from(read.body), read.headers, { keys: read.keys });
"""


def with_key(sender: SenderServices, keys: str | None) -> SenderServices:
    return replace(sender, settings=sender.settings.model_copy(update={"webhook_signing_key": keys}))


def delivered(sender: SenderServices, host: Host, owner: str = tenant.DEFAULT) -> Received:
    """Return the webhook of a canceled job."""
    job_id = protocol.accept(sender.jobs, owner, webhook=host.serve(HOOK))
    sender.jobs.cancel(job_id)
    event_id = tenant.owned(owner, f"evt_{tenant.shown(job_id)}_canceled")
    deliver.deliver(event_id, sender)
    return next(each for each in host.wait_for(HOOK) if each.headers["webhook-id"] == tenant.shown(event_id))


def published(sender: SenderServices, owner: str | None = None) -> list[dict[str, str]]:
    """Return the public keys that a gateway with the settings of this sender answers."""
    client = create_app(sender.settings).test_client()
    answer = client.get(KEYS, query_string={"tenant": owner} if owner else {})
    assert answer.status_code == 200, answer.text
    keys: list[dict[str, str]] = answer.get_json()["keys"]
    return keys


def versions(received: Received) -> list[str]:
    return [each.partition(",")[0] for each in received.headers["webhook-signature"].split(" ")]


def test_a_webhook_has_both_signatures_and_the_public_key_is_published(sender: SenderServices, host: Host) -> None:
    sender = with_key(sender, OLD)
    received = delivered(sender, host)
    [key] = published(sender)
    assert versions(received) == ["v1", "v1a"]
    assert is_signed_by(received, key)
    event = Verifier(str(sender.settings.webhook_secret)).verify(received.body, received.headers)
    assert event["type"] == "job.canceled"  # the public library ignores the version that it does not know


def test_the_public_key_is_that_of_the_setting_in_both_formats(sender: SenderServices) -> None:
    [key] = published(with_key(sender, OLD))
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(OLD.removeprefix("whsk_")))
    public = private.public_key().public_bytes_raw()
    assert key["whpk"] == f"whpk_{base64.b64encode(public).decode()}"
    assert base64.urlsafe_b64decode(key["x"] + "=") == public
    assert {name: key[name] for name in ("kty", "crv", "use", "alg")} == {
        "kty": "OKP",
        "crv": "Ed25519",
        "use": "sig",
        "alg": "EdDSA",
    }


def test_the_thumbprint_is_that_of_the_standards_example() -> None:
    """RFC 8037, appendices A.2 and A.3."""
    public = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    key = signing_keys.SigningKey(Ed25519PrivateKey.generate(), public)
    assert key.jwk["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_without_a_key_there_is_no_such_signature_and_no_public_key(sender: SenderServices, host: Host) -> None:
    assert versions(delivered(sender, host)) == ["v1"]
    assert published(sender) == []


def test_during_a_rotation_both_keys_sign_and_are_published(sender: SenderServices, host: Host) -> None:
    [old], [new] = published(with_key(sender, OLD)), published(with_key(sender, NEW))
    both = with_key(sender, f"{NEW}, {OLD}")
    assert published(both) == [new, old]
    received = delivered(both, host)
    assert versions(received) == ["v1", "v1a", "v1a"]
    assert is_signed_by(received, old)
    assert is_signed_by(received, new)
    assert not is_signed_by(delivered(with_key(sender, NEW), host), old)


def test_each_tenant_has_keys_of_its_own_that_every_process_computes(
    sender: SenderServices, host: Host, keyspace: Keyspace
) -> None:
    """A receiver that trusts one tenant's key accepts no event of another tenant, also not of `default`."""
    for owner in ("acme", "other"):
        Keys(keyspace).create("", ORDINARY, tenant=owner)
    sender = with_key(sender, OLD)
    received = {owner: delivered(sender, host, owner) for owner in ("acme", "other", tenant.DEFAULT)}
    signing_keys._derived.cache_clear()  # as in another process
    for owner in received:
        [key] = published(sender, owner)
        assert [name for name, each in received.items() if is_signed_by(each, key)] == [owner]


def test_the_keys_can_be_cached_and_do_not_show_which_tenants_exist(sender: SenderServices) -> None:
    client: FlaskClient = create_app(with_key(sender, OLD).settings).test_client()
    answer = client.get(f"{KEYS}?tenant=nobody")
    assert len(answer.get_json()["keys"]) == 1
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert client.get(f"{KEYS}?tenant=nobody", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert client.get(KEYS, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 200


def test_the_keys_are_answered_while_redis_is_unreachable(sender: SenderServices) -> None:
    settings = with_key(sender, OLD).settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    assert len(create_app(settings).test_client().get(KEYS).get_json()["keys"]) == 1


@pytest.mark.parametrize(
    "keys",
    [
        "",
        "whsk_",
        "whsk_notbase64!",
        "whsk_" + base64.b64encode(bytes(31)).decode(),
        OLD[5:],
        f"{OLD},",
        f"{OLD} {NEW}",
    ],
    ids=["empty", "only the prefix", "no base64", "too short", "no prefix", "a comma at the end", "no comma"],
)
def test_a_malformed_key_stops_the_process_at_its_start(keys: str) -> None:
    with pytest.raises(ValueError, match="webhook signing key"):
        Settings(webhook_signing_key=keys)
    assert OLD not in repr(Settings(webhook_signing_key=OLD))


@pytest.mark.parametrize(("language", "command", "program"), [("python", sys.executable, PYTHON), ("js", "node", NODE)])
def test_the_code_of_the_page_verifies_an_event_and_refuses_a_forged_one(
    language: str, command: str, program: str, tmp_path: Path
) -> None:
    if shutil.which(command) is None:
        pytest.skip(f"there is no {command}")
    [shown] = [
        block for block in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if "ed25519" in block.lower()
    ]
    file = tmp_path / ("receive.mjs" if language == "js" else "receive.py")
    file.write_text(shown + program)
    settings = Settings(webhook_signing_key=f"{NEW},{OLD}")
    [new, old] = (key.jwk for key in signing_keys.of_tenant(tenant.DEFAULT, settings))
    [other] = (key.jwk for key in signing_keys.of_tenant("acme", Settings(webhook_signing_key=OLD)))
    body, now = '{"é": 1}', int(time.time())
    private = signing_keys.of_tenant(tenant.DEFAULT, settings)
    headers = signature.headers([], private, "evt_1", now, body.encode())
    early = signature.headers([], private, "evt_1", now - 600, body.encode())

    def accepts(keys: list[dict[str, str]], body: str = body, headers: dict[str, str] = headers) -> bool:
        read: dict[str, Any] = {"body": body, "headers": headers, "keys": keys}
        ran = subprocess.run([command, file], input=json.dumps(read), capture_output=True, text=True, timeout=300)
        assert ran.returncode == 0 or "no signature fits" in ran.stderr or "too old" in ran.stderr, ran.stderr
        return ran.returncode == 0

    assert accepts([other, old])
    assert not accepts([other])
    assert not accepts([new, old], body='{"é": 2}')
    assert not accepts([new, old], headers=early)


def test_the_code_of_the_page_chooses_the_secret_of_the_receiver() -> None:
    [shown] = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "standardwebhooks" in block]
    names: dict[str, Any] = {}
    exec(compile(shown, "docs/webhooks.md", "exec"), names)
    names["SECRETS"] = {"ep_1": webhook_secret.new(), None: webhook_secret.new()}
    for endpoint_id, secret in names["SECRETS"].items():
        body = json.dumps({"endpoint_id": endpoint_id}).encode()
        headers = signature.headers([secret], [], "evt_1", int(time.time()), body)
        assert names["verified"](body, headers) == {"endpoint_id": endpoint_id}
        with pytest.raises(WebhookVerificationError):
            names["verified"](body.replace(b"}", b" }"), headers)
