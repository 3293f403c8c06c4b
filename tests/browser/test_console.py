"""The frame of the console: addresses, the bar, languages, and a service that does not answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.console import Console

Open = Callable[..., Console]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
BESIDE = "(each) => { const { left, right } = each.getBoundingClientRect(); return [left, innerWidth - right]; }"


def test_every_address_can_be_opened_followed_left_and_reloaded(consoles: Open) -> None:
    console = consoles().open("/console/usage?since=yesterday")
    assert console.heading() == "Usage"
    console.page.evaluate("document.kept = true")  # a new document would not have it
    console.page.evaluate("document.querySelector('.brand').href = '/console/no/such/page'")
    console.page.click(".brand")
    assert console.heading() == "There is no such page"
    console.page.go_back()
    console.wait("document.querySelector('h1').textContent === 'Usage'")
    assert console.page.evaluate("document.kept")
    assert console.page.title() == "Usage · ovseg"
    console.page.reload()
    console.wait("document.querySelector('h1')?.textContent === 'Usage'")
    console.page.click("a[data-text=playground]")
    console.page.click("a[data-text=console]")
    console.page.wait_for_url("**/console")


def test_the_language_changes_the_whole_page_and_is_remembered(consoles: Open) -> None:
    console = consoles().open("/console/usage")
    console.page.click("#language")
    assert console.heading() == "用量"
    console.page.reload()
    console.wait("document.querySelector('h1')?.textContent === '用量'")
    assert "API 密钥" not in console.views()  # the service requires no keys


def test_a_service_that_does_not_answer_is_announced_until_it_answers_again(consoles: Open) -> None:
    console = consoles(may_complain=True).open("/console/usage")
    console.page.route("**/v1/**", lambda route: route.abort())
    console.page.route("**/readyz", lambda route: route.abort())
    console.page.select_option("select", "7")
    console.page.locator("#banner").wait_for()
    assert "does not answer" in console.page.inner_text("#banner")
    console.page.locator("[role=alert]").nth(1).wait_for()  # in place of the own usage, and of that of all tenants
    console.page.unroute("**/v1/**")
    console.page.unroute("**/readyz")
    console.page.locator("#banner").wait_for(state="hidden")
    console.wait("document.querySelector('[role=alert]') === null")
    assert "succeeded" in console.page.inner_text(".figures").lower()


def test_the_bar_of_a_phone_shows_which_view_is_chosen(consoles: Open) -> None:
    console = consoles(**PHONE).open("/console/usage")
    beside = console.page.locator("#views [aria-current]").evaluate(BESIDE)
    assert min(beside) >= 0


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desk", "phone"])
def test_the_frame_has_no_serious_fault_and_fits(consoles: Open, options: dict[str, object]) -> None:
    console = consoles(**options)
    for path in ("/console/usage", "/console/nothing"):
        console.open(path)
        assert console.faults() == []
        assert console.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
