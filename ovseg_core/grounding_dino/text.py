"""A list of phrases as one text for the network.

The phrases follow one another, each with a full stop. A token attends only to tokens of its own phrase, and positions
begin again with each phrase, so phrases do not see one another in the text encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino.attention_mask import BLOCKED
from ovseg_core.grounding_dino.tokenizer import BEGIN, DELIMITERS, END, STOP

MAX_TOKENS = 256  # of a text; the networks were trained with texts up to this length
PADDED_TO = 16  # texts are padded to a multiple of this, because an engine prepares itself for each length

Tokens = tuple[int, ...]  # of one phrase


class Text(NamedTuple):
    """A text of T tokens, float32, as the network's parts take it.

    Attributes:
        tokens: (T,).
        positions: (T,): of each token in its phrase.
        mask: (T,): 0 for tokens, and a large negative number for padding. It is added to scores.
        self_mask: (T, T): 0 where a token may attend to another. It is added to scores.
        spans: of each phrase, the indices of its first token and of its delimiter, a full stop.
    """

    tokens: np.ndarray
    positions: np.ndarray
    mask: np.ndarray
    self_mask: np.ndarray
    spans: tuple[tuple[int, int], ...]


def of(phrases: Sequence[Tokens]) -> Text:
    """Return the text of these phrases. Together they have at most as many tokens as `passes` puts in one pass."""
    return of_tokens([BEGIN, *(token for phrase in phrases for token in (*phrase, STOP)), END])


def of_tokens(tokens: Sequence[int]) -> Text:
    """Return the text of these tokens, which begin with BEGIN and end with END; each delimiter ends a phrase.

    Tokens after the last delimiter are no phrase: each of them attends only to itself, as in the original.
    """
    length = -(-len(tokens) // PADDED_TO) * PADDED_TO
    positions, mask = np.zeros(length, np.float32), np.zeros(length, np.float32)
    mask[len(tokens) :] = BLOCKED
    self_mask = np.full((length, length), BLOCKED, np.float32)
    np.fill_diagonal(self_mask, 0)
    start, spans = 1, []
    for stop, token in enumerate(tokens):
        if token in DELIMITERS:
            positions[start : stop + 1] = np.arange(stop + 1 - start)
            self_mask[start : stop + 1, start : stop + 1] = 0
            spans.append((start, stop))
            start = stop + 1
    padded = np.array([*tokens, *[0] * (length - len(tokens))], np.float32)
    return Text(padded, positions, mask, self_mask, tuple(spans))


def passes(phrases: Sequence[Tokens], max_tokens: int = MAX_TOKENS) -> list[list[int]]:
    """Return the indices of the phrases, grouped so that each group fits into one text, in their order.

    Raises OvsegError `phrase_too_long`; its `field` names the phrase.
    """
    groups: list[list[int]] = []
    used = max_tokens
    for i, phrase in enumerate(phrases):
        length = len(phrase) + 1  # with the full stop
        if length > max_tokens - 2:
            message = f"{len(phrase)} tokens; a phrase has at most {max_tokens - 3}"
            raise OvsegError("phrase_too_long", message, f"phrases[{i}]")
        if used + length > max_tokens:
            groups.append([])
            used = 2  # the first and the last token of a text
        groups[-1].append(i)
        used += length
    return groups


def scores(logits: np.ndarray, spans: Sequence[tuple[int, int]]) -> np.ndarray:
    """Return how well each of N boxes fits each phrase, (N, phrases) from 0 to 1, from logits (N, T) for each token.

    The score of a phrase is that of its best token.
    """
    return sigmoid(np.stack([logits[:, start:stop].max(axis=1) for start, stop in spans], axis=1))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return the scores of logits, 0 to 1."""
    scores: np.ndarray = 0.5 + 0.5 * np.tanh(0.5 * logits)  # in a form that does not overflow
    return scores
