"""The check of phrases without the tokenizer agrees with the tokenizer."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino import readable, text, tokenizer

PIECE = 4096  # characters in one call of the tokenizer
WORDS = st.text(st.sampled_from("abyzAZ09ß-.?!' éçñΣσабв猫人犬あハ한🐶\u00ad\u202e\x07\t"), max_size=140)


@pytest.mark.parametrize(
    ("phrase", "code"),
    [
        ("", "phrase_empty"),
        (" ", "phrase_empty"),
        (" . ? ", "phrase_empty"),
        ("\u0301", "phrase_empty"),
        ("word " * 300, "phrase_too_long"),
        ("한" * 100, "phrase_too_long"),
        ("dog\x07", "phrase_unreadable"),
        ("dog\ncat", "phrase_unreadable"),
        ("dog\u200d", "phrase_unreadable"),
        ("a 🐶", "phrase_unreadable"),
        ("猫", "phrase_unreadable"),
        ("人", "phrase_unreadable"),  # the vocabulary has it, and English photos taught it nothing
        ("いぬ", "phrase_unreadable"),
        ("개", "phrase_unreadable"),
        ("x" * 101, "phrase_unreadable"),
    ],
)
def test_a_phrase_that_the_detector_cannot_read_is_refused(phrase: str, code: str) -> None:
    with pytest.raises(OvsegError) as caught:
        readable.check(phrase)
    assert caught.value.code == code


@pytest.mark.parametrize("phrase", ["dog", "the dog on the left", "Chien à côté", "собака", "x" * 100, "a-b's, c!"])
def test_words_of_the_vocabularys_letters_are_accepted(phrase: str) -> None:
    readable.check(phrase)


def test_a_letter_is_accepted_exactly_if_the_tokenizer_knows_it() -> None:
    given = [chr(i) for i in range(0x20000) if unicodedata.category(chr(i))[0] in "LMNPS"]
    known: set[str] = set()
    for start in range(0, len(given), PIECE):
        piece = given[start : start + PIECE]
        joined = "x ".join(piece)  # with an x, a mark is a word too
        encoding = tokenizer.bert().encode(joined, add_special_tokens=False)
        rows = zip(encoding.tokens, encoding.offsets, strict=True)
        known |= set(piece) - {joined[start] for token, (start, _) in rows if token == tokenizer.UNKNOWN}
    accepted = {character for character in given if _is_accepted(f"{character}x")}
    assert accepted < known
    refused = {each for each in known - accepted if unicodedata.category(each)[0] not in "MS"}  # rare marks
    assert all(unicodedata.east_asian_width(unicodedata.normalize("NFD", each)[0]) in "WF" for each in refused)


@given(WORDS)
@hypothesis_settings(max_examples=300, derandomize=True, database=None)
@example("é" * 128)
@example("한" * 83)
def test_an_accepted_phrase_fits_into_a_text(phrase: str) -> None:
    if _is_accepted(phrase):
        assert text.passes([tokenizer.tokens(phrase)]) == [[0]]


def _is_accepted(phrase: str) -> bool:
    try:
        readable.check(phrase)
    except OvsegError:
        return False
    return True
