"""Check phrases without the tokenizer: the gateway has no `tokenizers`, and refuses what the detector cannot read.

The vocabulary has each of its characters as a word and as a continuation of a word, so a word can be written in tokens
exactly if the vocabulary has all its characters. It has a few hundred Chinese characters, kana and parts of Hangul,
which mean nothing to the networks. So they are refused too, and not only the words that need other characters.
"""

from __future__ import annotations

import unicodedata
from functools import cache

from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino.tokenizer import MAX_WORD_CHARACTERS, VOCABULARY

MAX_CHARACTERS = 128  # of a phrase; as many as a prompt's `name` has, because a refinement has the phrase as its name
MAX_READ = 250  # decomposed characters; a token has at least one, and a phrase has at most 253 tokens
ENDS = ".?"  # a phrase's tokens lack them, see `tokenizer.DELIMITERS`
WIDE = ("W", "F")  # of Unicode's East_Asian_Width
SHOWN = 40


def check(phrase: str) -> None:
    """Check that the detector can read a phrase: `tokenizer.tokens` then succeeds, and the phrase fits into one text.

    Raises OvsegError `phrase_empty`, `phrase_too_long` or `phrase_unreadable`.
    """
    if len(phrase) > MAX_CHARACTERS:
        message = f"{len(phrase):,} characters; a phrase has at most {MAX_CHARACTERS}, such as: the dog on the left"
        raise OvsegError("phrase_too_long", message)
    for character in phrase:
        if unicodedata.category(character).startswith("C"):
            raise OvsegError("phrase_unreadable", f"U+{ord(character):04X} is a control or an unassigned character")
    words = phrase.split()
    read = [_read(word) for word in words]
    if not any(word.strip(ENDS) for word in read):
        raise OvsegError("phrase_empty", "a phrase needs a word")
    if sum(map(len, read)) > MAX_READ:
        raise OvsegError("phrase_too_long", f"{sum(map(len, read))} letters; a phrase has at most {MAX_READ}")
    for word, characters in zip(words, read, strict=True):
        if len(characters) > MAX_WORD_CHARACTERS or not _characters().issuperset(characters):
            message = f"the detector cannot read {word[:SHOWN]!r}; it was trained with English phrases"
            raise OvsegError("phrase_unreadable", message)


def _read(word: str) -> str:
    """Return the characters of a word as the tokenizer reads it: lower case without accents."""
    return "".join(each.lower() for each in unicodedata.normalize("NFD", word) if not _is_accent(each))


def _is_accent(character: str) -> bool:
    """True for a mark that the tokenizer drops. It knows an older Unicode than Python, so new marks are unreadable."""
    return unicodedata.category(character) == unicodedata.ucd_3_2_0.category(character) == "Mn"


@cache
def _characters() -> frozenset[str]:
    """Return the characters of the vocabulary, without those of East Asian scripts. Reading it takes 5 ms."""
    tokens = VOCABULARY.read_text(encoding="utf-8").split("\n")
    return frozenset(each for each in tokens if len(each) == 1 and unicodedata.east_asian_width(each) not in WIDE)
