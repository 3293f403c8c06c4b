"""The log of every process: one line a record, and nothing in it that a terminal obeys."""

from __future__ import annotations

import logging
import sys
import threading

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
CHATTY = ("botocore", "urllib3", "celery")


def set_up() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(OneLine(FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    threading.excepthook = _log_uncaught  # which Python would write to stderr as it is


def escape(text: str) -> str:
    """`text` with every character that is not printable as Python writes it in a string: \\n, \\x1b, \\u202e.

    Not printable are control characters (C0 and C1), separators of lines, formats such as those that turn the direction
    of text, and lone surrogates, which cannot be written at all (Unicode's categories C and Z, except the space).
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _log_uncaught(what: threading.ExceptHookArgs) -> None:
    name = what.thread.name if what.thread else "a thread"
    logging.getLogger(__name__).error("%s ended", name, exc_info=what.exc_value)


class OneLine(logging.Formatter):
    """What others wrote into a message cannot pass for a record of its own: only records begin in the first column."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        return escape(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        message, *traceback = super().format(record).split("\n")
        return "\n".join([message, *(f"    {escape(line)}" for line in traceback)])
