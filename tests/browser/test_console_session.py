"""The console of a service that requires keys: signing in and out, what a key may see, and the view of keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from configs.settings import Settings
from tests.support import lone_gateway
from tests.support.console import IS_SHOWN, Console
from tests.support.waiting import wait_until
from worker.access.keys import Keys
from worker.access.scope import Scope
from worker.store.keyspace import Keyspace

NASTY = "<img src=x onerror=alert(1)>\"'&{name}"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
FIELD = "#key-text"

Open = Callable[..., Console]


@pytest.fixture
def keys(keyspace: Keyspace) -> Keys:
    return Keys(keyspace)


@pytest.fixture
def open_console(
    consoles: Open, s3_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Console]]:
    """Open the console of a gateway that requires keys. An answer of 401 is a complaint of the browser."""
    monkeypatch.setenv("OVSEG_AUTH", "required")
    with lone_gateway.running(s3_settings) as gateway:

        def open_at(path: str = "/console", **options: object) -> Console:
            console = consoles(gateway.url, may_complain=True, **options)
            console.page.goto(gateway.url + path)
            console.page.locator(FIELD).wait_for()
            return console

        yield open_at


def sign_in(console: Console, key: object) -> None:
    console.page.fill(FIELD, str(key))
    console.page.press(FIELD, "Enter")
    console.page.locator(FIELD).wait_for(state="detached")
    console.wait(IS_SHOWN)


def policy_violations(console: Console) -> list[str]:
    return [each for each in console.complaints if "Content Security Policy" in each or "TrustedHTML" in each]


def test_a_person_signs_in_with_the_keyboard_and_stays_signed_in_until_signing_out(
    open_console: Open, keys: Keys
) -> None:
    key = keys.create("a person", [Scope.JOBS_READ], tenant="acme")
    console = open_console("/console/usage")
    keyboard = console.page.keyboard
    keyboard.type("ovk_wrong")  # the field has the focus
    keyboard.press("Enter")
    console.wait("document.querySelector('#key-problem').textContent !== ''")
    assert "refused" in console.page.inner_text("#key-problem")
    keyboard.type(str(key))  # in place of the wrong key, which is selected
    keyboard.press("Enter")
    console.wait("document.querySelector('h1').textContent === 'Usage'")
    kept = console.page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])")
    assert key.secret not in kept
    assert "ovseg_session" not in kept

    console.page.reload()
    console.wait("document.querySelector('h1')?.textContent === 'Usage'")
    assert "acme" in console.page.inner_text("main h2")
    console.page.locator("#account").focus()
    keyboard.press("Enter")
    assert "jobs:read" in console.page.inner_text("dialog")
    console.page.locator("dialog button", has_text="Sign out").focus()
    keyboard.press("Enter")
    console.page.locator(FIELD).wait_for()
    assert console.page.context.cookies() == []
    assert console.views() == []


def test_a_key_sees_the_views_of_its_scopes_only(open_console: Open, keys: Keys) -> None:
    console = open_console()
    sign_in(console, keys.create("", [Scope.JOBS_READ]))
    assert not {"API keys", "Fleet", "Webhooks"} & set(console.views())
    assert "Usage" in console.views()
    console.page.goto(f"{console.url}/console/keys")
    console.wait("document.querySelector('h1')?.textContent === 'Your key may not see this page'")
    other = open_console("/console/keys")
    sign_in(other, keys.create("", [Scope.ADMIN]))
    assert {"API keys", "Usage"} <= set(other.views())
    assert other.heading() == "API keys"


def test_a_revoked_key_ends_the_session_and_the_next_key_continues_where_it_was(open_console: Open, keys: Keys) -> None:
    key = keys.create("", [Scope.JOBS_READ])
    console = open_console("/console/usage")
    sign_in(console, key)
    keys.revoke(key.id)
    wait_until(lambda: console.page.request.get(f"{console.url}/v1/session").status == 401)
    console.page.select_option("select", "7")
    console.page.locator(FIELD).wait_for()
    assert "has ended" in console.page.inner_text("#said")
    sign_in(console, keys.create("", [Scope.JOBS_READ]))
    assert console.heading() == "Usage"


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desk", "phone"])
def test_an_admin_makes_changes_rotates_and_revokes_keys(
    open_console: Open, keys: Keys, options: dict[str, object]
) -> None:
    admin = keys.create(NASTY, [Scope.ADMIN])
    console = open_console("/console/keys", **options)
    page = console.page
    faults = console.faults()
    sign_in(console, admin)
    faults += console.faults()
    page.locator("button", has_text="New key").click()
    faults += console.faults()
    assert console.broken("dialog code") == []
    assert page.locator("#key-name:focus").count() == 1
    page.fill("#key-name", f"camera {NASTY}")
    page.fill("#key-tenant", "Not A Tenant")
    page.keyboard.press("Enter")
    assert page.locator("#key-tenant:invalid").count() == 1
    page.fill("#key-tenant", "acme")
    page.fill("#key-prompts_per_minute", "600")
    page.keyboard.press("Enter")
    text = page.locator("dialog pre.code").inner_text()
    faults += console.faults()
    page.keyboard.press("Escape")
    [made] = [each for each in keys.list() if each.tenant == "acme"]
    assert (made.name, made.rates.prompts_per_minute) == (f"camera {NASTY}", 600)
    assert text.startswith(f"ovk_{made.id}_")
    row = page.locator("tbody tr").first
    assert NASTY in row.inner_text()

    row.locator("button[title='Change the limits']").click()
    page.fill("#key-prompts_per_minute", "")
    page.keyboard.press("Enter")
    page.locator("dialog").wait_for(state="detached")
    row.locator("button[title=Rotate]").click()
    page.locator("dialog button.strong").click()
    page.locator("dialog pre.code").wait_for()
    assert page.locator("dialog pre.code").inner_text() != text
    page.keyboard.press("Escape")
    row.locator("button[title=Revoke]").click()
    faults += console.faults()
    page.keyboard.press("Escape")
    assert row.locator(".live").count() == 1
    row.locator("button[title=Revoke]").click()
    page.locator("dialog button.danger").click()
    row.locator(".revoked").wait_for()
    [changed] = [each for each in keys.list() if each.tenant == "acme"]
    assert (changed.rates.prompts_per_minute, changed.revoked_at is None) == (None, False)
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert policy_violations(console) == []
    assert faults == []
