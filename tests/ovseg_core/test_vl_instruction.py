"""What a text asks for: the rules that the library's pipeline and the chat of the gateway share."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest

from ovseg_core.errors import OvsegError
from ovseg_core.vl import messages
from ovseg_core.vl.instruction import EVERYTHING, Instruction


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("dog", ["dog"]),
        ("dog, remote control", ["dog", "remote control"]),
        ("dog\nremote control", ["dog", "remote control"]),
        ("a cat . remote control .", ["a cat", "remote control"]),
        ("- dog\n- cat\n", ["dog", "cat"]),
        ('"dog"; cat', ["dog", "cat"]),
        ("dog, dog, Dog", ["dog", "Dog"]),
        ("bus no.5", ["bus no.5"]),
        ("cardboard box", ["cardboard box"]),
        ("狗\N{FULLWIDTH COMMA}猫", ["狗", "猫"]),
    ],
)
def test_phrases_are_separated_by_commas_full_stops_and_lines(text: str, phrases: list[str]) -> None:
    instruction = Instruction.of(text)
    assert instruction.prompts == ({"text": phrases},)
    assert instruction.count == len(phrases)


@pytest.mark.parametrize(
    "text",
    [
        *sorted(EVERYTHING),
        "",
        " \n",
        "Describe this image.",
        "What\N{RIGHT SINGLE QUOTATION MARK}s in this image?",
        ",.",
    ],
)
def test_an_empty_text_and_some_sentences_ask_for_everything(text: str) -> None:
    assert Instruction.of(text).is_everything


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("box: 10,20,200,300", [{"box": [10, 20, 200, 300]}]),
        ("BOX : [10.5 20 200, 300]", [{"box": [10.5, 20, 200, 300]}]),
        ("box: (-10, 20, 200, 300).", [{"box": [-10, 20, 200, 300]}]),
        ("point: 10,20", [{"points": [[10, 20]], "labels": [1]}]),
        ("point: 10,20; point: 30,40,0", [{"points": [[10, 20], [30, 40]], "labels": [1, 0]}]),
        ("point: 10,20\npoint: 30,40", [{"points": [[x, x + 10]], "labels": [1]} for x in (10, 30)]),
        ("box: 1,2,3,4 point: 2,3,0", [{"box": [1, 2, 3, 4], "points": [[2, 3]], "labels": [0]}]),
        ("box: 1,2,3,4 box: 5,6,7,8", [{"box": [1, 2, 3, 4]}, {"box": [5, 6, 7, 8]}]),
        ("describe this image\nbox: 1,2,3,4", [{"box": [1, 2, 3, 4]}]),
        ("dog\nbox: 1,2,3,4\ncat", [{"text": ["dog", "cat"]}, {"box": [1, 2, 3, 4]}]),
        ("dog, cat, box: 1,2,3,4", [{"text": ["dog", "cat"], "box": [1, 2, 3, 4]}]),
        ("box: 1,2,3,4 dog", [{"text": ["dog"], "box": [1, 2, 3, 4]}]),
    ],
)
def test_boxes_and_points_are_read_from_the_text(text: str, prompts: list[dict[str, Any]]) -> None:
    assert list(Instruction.of(text).prompts) == prompts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("box: 10,20,200", "'box: 10,20,200' must be written as box: x0,y0,x1,y1"),
        ("box: 1,2,3,4,5", "must be written as box"),
        ("box:", "'box:' must be written as box"),
        ("a box: of chocolates", "must be written as box"),
        ("point: 10", "must be written as point: x,y or point: x,y,0"),
        ("point: 10,20,2", "must be written as point"),
        ("point: 10,20,3,4", "must be written as point"),
        ("box: 1e400,2,3,4", "must be written as box"),
        ("dog, point: 3,4", "'dog': phrases may share a line with one box"),
        ("dog box: 1,2,3,4 box: 1,2,3,4", "phrases may share a line with one box"),
    ],
)
def test_a_box_or_a_point_that_is_written_wrongly_is_refused_and_not_searched_for(text: str, message: str) -> None:
    with pytest.raises(OvsegError) as caught:
        Instruction.of(text)
    assert caught.value.code == "invalid_prompt"
    assert message in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "box: 1" + " " * 300_000 + "x",
        "box:" + " " * 300_000 + "x",
        "box: " + "1 " * 150_000,
        "box: " + "1" * 300_000,
        "box" + " " * 300_000,
        "point: 1,1 " * 30_000 + "point:",
        "box: 1,2,3,4 dog " * 20_000,
    ],
    ids=range(7),
)
def test_no_text_takes_long_to_refuse(text: str) -> None:
    """A pattern that backtracks would take hours."""
    start = time.process_time()
    with suppress(OvsegError):
        Instruction.of(text)
    assert time.process_time() - start < 5


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def text(given: str) -> dict[str, Any]:
    return {"type": "text", "text": given}


def test_the_last_message_of_the_user_is_answered_with_the_last_images() -> None:
    history = [
        {"role": "system", "content": "You are helpful."},
        user(text("dog"), image("a.jpg"), image("b.jpg")),
        {"role": "assistant", "content": None},
        user(text("cat"), {"type": "prompt", "prompt": {"box": [1, 2, 3, 4]}}, text("bus")),
    ]
    question = messages.read(history)
    assert question == messages.Question("cat\nbus", ("a.jpg", "b.jpg"), ({"box": [1, 2, 3, 4]},), "messages[3]")
    again = messages.read([*history, user(image("c.jpg"))])
    assert (again.text, again.images) == ("", ("c.jpg",))
    assert messages.read([{"role": "user", "content": "dog"}]).text == "dog"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (None, "messages"),
        ([], "messages"),
        ([{"role": "system", "content": "x"}], "messages"),
        (["dog"], "messages[0]"),
        ([{"role": "robot", "content": "x"}], "messages[0]"),
        ([{"role": "user"}], "messages[0].content"),
        ([user("dog")], "messages[0].content[0]"),
        ([user({"type": "input_audio"})], "messages[0].content[0]"),
        ([user({"type": "text"})], "messages[0].content[0].text"),
        ([user({"type": "image_url", "image_url": {}})], "messages[0].content[0].image_url"),
        ([user({"type": "prompt", "prompt": [1, 2]})], "messages[0].content[0].prompt"),
    ],
)
def test_a_message_of_another_form_is_refused_with_its_place(given: Any, field: str) -> None:
    with pytest.raises(OvsegError) as caught:
        messages.read(given)
    assert (caught.value.code, caught.value.field) == ("invalid_request", field)
