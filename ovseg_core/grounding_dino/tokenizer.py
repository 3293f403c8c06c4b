"""Phrases to tokens: BERT's WordPiece (Devlin et al., 2018), with the vocabulary of BERT-Base, Uncased.

It lowercases, drops accents, and splits words that are not in the vocabulary into pieces. It can write every word of
Latin letters, but few words of other scripts. Only English words have a meaning for the networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ovseg_core.errors import OvsegError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

VOCABULARY = Path(__file__).parent / "vocabulary" / "bert-base-uncased.txt"
UNKNOWN = "[UNK]"
MAX_WORD_CHARACTERS = 100  # a longer word is unknown
BEGIN, END, STOP = 101, 102, 1012  # [CLS], [SEP] and the full stop, which ends a phrase
DELIMITERS = frozenset({STOP, 1029})  # the network takes the full stop and the question mark for the end of a phrase


def of_all(phrases: Sequence[str]) -> list[tuple[int, ...]]:
    """Return the tokens of each phrase.

    Raises what `tokens` raises, with a `field` that names the phrase, and OvsegError `phrase_empty` if there is no
    phrase.
    """
    if not phrases:
        raise OvsegError("phrase_empty", "there is no phrase to search for")
    found = []
    for i, phrase in enumerate(phrases):
        try:
            found.append(tokens(phrase))
        except OvsegError as error:
            raise error.at(f"phrases[{i}]") from None
    return found


def tokens(phrase: str) -> tuple[int, ...]:
    """Return the tokens of a phrase, without those that would end it.

    Raises OvsegError `phrase_empty` if it has no word, and `phrase_unreadable` if a part of it is not in the
    vocabulary.
    """
    encoding = bert().encode(phrase, add_special_tokens=False)
    for token, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True):
        if token == UNKNOWN:
            raise OvsegError("phrase_unreadable", f"the detector cannot read {phrase[start:end][:40]!r}")
    found = tuple(token for token in encoding.ids if token not in DELIMITERS)
    if not found:
        raise OvsegError("phrase_empty", "a phrase needs a word")
    return found


@cache
def bert() -> Tokenizer:
    """Return the tokenizer. Making it takes 10 ms.

    The special tokens are not registered, so a phrase that contains "[SEP]" is read as these five characters.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(
        models.WordPiece.from_file(str(VOCABULARY), unk_token=UNKNOWN, max_input_chars_per_word=MAX_WORD_CHARACTERS)
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer
