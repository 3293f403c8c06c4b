"""The playground under fingers, as a phone reports them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import CDPSession

from tests.browser.conftest import Open
from tests.support.playground import Playground

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
HEAD = (215, 90)
STEPS = 4  # of a movement
SCROLLED = "[scrollX, scrollY, visualViewport.scale, document.documentElement.scrollWidth - innerWidth]"
Places = list[tuple[float, float]]


@pytest.fixture
def phone(pages: Open) -> Playground:
    return pages(**PHONE).open().sample()


@pytest.fixture
def touch(phone: Playground) -> Callable[..., None]:
    client: CDPSession = phone.page.context.new_cdp_session(phone.page)

    def touch(start: Places, end: Places) -> None:
        """Put fingers down at the first places, move them to the others, and lift them."""
        for step in range(STEPS + 1):
            places = [
                {"x": x + (to_x - x) * step / STEPS, "y": y + (to_y - y) * step / STEPS}
                for (x, y), (to_x, to_y) in zip(start, end, strict=True)
            ]
            kind = "touchMove" if step else "touchStart"
            client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})
        client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    return touch


def test_a_tap_places_a_click_and_a_finger_that_moves_none(phone: Playground, touch: Callable[..., None]) -> None:
    at = phone.place(*HEAD)
    touch([at], [at])
    phone.wait("playground.session.state.objects.length === 1")
    phone.rest()
    [found] = phone.objects()
    assert found["prompt"]["points"] == [pytest.approx(HEAD, abs=1)]
    x, y = phone.place(*HEAD)  # the list has a row now, so the stage is smaller
    touch([(x, y)], [(x + 60, y + 40)])
    assert phone.place(*HEAD) == pytest.approx((x + 60, y + 40), abs=1)
    assert phone.page.evaluate(SCROLLED) == [0, 0, 1, 0]
    assert phone.objects() == [found]


def test_two_fingers_zoom_the_photo_between_them_and_nothing_else(
    phone: Playground, touch: Callable[..., None]
) -> None:
    x, y = phone.place(*HEAD)
    before = phone.page.evaluate("playground.stage.view.scale")
    touch([(x - 20, y), (x + 20, y)], [(x - 50, y), (x + 50, y)])
    assert phone.page.evaluate("playground.stage.view.scale") / before == pytest.approx(2.5, abs=0.05)
    assert phone.place(*HEAD) == pytest.approx((x, y), abs=2)
    assert phone.page.evaluate(SCROLLED) == [0, 0, 1, 0]
    assert phone.objects() == []
