"""Phrases to the text that a detector reads: tokens, positions, masks, and texts of at most 256 tokens."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino import text, tokenizer


def test_the_vocabulary_is_bert_s() -> None:
    data = tokenizer.VOCABULARY.read_bytes()
    assert data.count(b"\n") == 30522
    assert hashlib.sha256(data).hexdigest() == "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
    words = data.decode().splitlines()
    assert [words[i] for i in (tokenizer.BEGIN, tokenizer.END, tokenizer.STOP)] == ["[CLS]", "[SEP]", "."]


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("a cat", [1037, 4937]),
        ("Remote  CONTROL", [6556, 2491]),
        ("café", [7668]),  # accents are dropped
        ("t-shirt", [1056, 1011, 3797]),
        ("unaffable", [14477, 20961, 3468]),
        ("[SEP]", [1031, 19802, 1033]),  # not the token of this name
        ("Where is St. Bernard?", [2073, 2003, 2358, 6795]),  # nothing in it ends the phrase
        ("山", [1831]),
    ],
)
def test_a_phrase_becomes_bert_s_tokens(phrase: str, expected: list[int]) -> None:
    assert tokenizer.tokens(phrase) == tuple(expected)


@pytest.mark.parametrize(
    ("phrases", "code", "field"),
    [
        ([], "phrase_empty", None),
        (["dog", ""], "phrase_empty", "phrases[1]"),
        ([" .?\t"], "phrase_empty", "phrases[0]"),
        (["\x00\x1f"], "phrase_empty", "phrases[0]"),
        (["a 🐶"], "phrase_unreadable", "phrases[0]"),
        (["dog", "猫"], "phrase_unreadable", "phrases[1]"),
    ],
)
def test_a_phrase_that_cannot_be_read_is_refused_by_its_place(phrases: list[str], code: str, field: str | None) -> None:
    with pytest.raises(OvsegError) as caught:
        tokenizer.of_all(phrases)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_tokens_attend_only_to_their_own_phrase_and_positions_begin_again_with_each() -> None:
    asked = text.of([(7, 8), (9,)])
    assert asked.tokens.tolist() == [101, 7, 8, 1012, 9, 1012, 102, *[0] * 9]
    assert asked.positions.tolist() == [0, 0, 1, 2, 0, 1, 0, *[0] * 9]
    assert asked.spans == ((1, 3), (4, 5))
    seen = asked.self_mask == 0
    assert [np.flatnonzero(row).tolist() for row in seen[:8]] == [
        [0],
        [1, 2, 3],
        [1, 2, 3],
        [1, 2, 3],
        [4, 5],
        [4, 5],
        [6],
        [7],
    ]
    assert ((asked.mask == 0) == (np.arange(16) < 7)).all()


def test_long_lists_are_cut_into_texts_of_at_most_256_tokens_in_their_order() -> None:
    phrases = [tuple(range(1, 2 + i % 5)) for i in range(1000)]
    groups = text.passes(phrases)
    assert [i for group in groups for i in group] == list(range(1000))
    lengths = [len(text.of([phrases[i] for i in group]).tokens) for group in groups]
    assert max(lengths) == text.MAX_TOKENS
    assert len(groups) == 16  # 4,000 tokens with full stops, 254 in a text


def test_a_phrase_that_fits_into_no_text_is_refused() -> None:
    assert text.passes([(5,) * 253]) == [[0]]
    with pytest.raises(OvsegError) as caught:
        text.passes([(5,), (5,) * 254])
    assert (caught.value.code, caught.value.field) == ("phrase_too_long", "phrases[1]")


def test_the_score_of_a_phrase_is_that_of_its_best_token() -> None:
    logits = np.array([[9, 0, 2, 9, -1, 9]], np.float32)
    assert text.scores(logits, [(1, 3), (4, 5)])[0] == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.e)])
    assert text.scores(np.array([[-1e9, 300]], np.float32), [(0, 1), (1, 2)]).tolist() == [[0, 1]]
