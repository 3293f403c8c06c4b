"""The log format of every process: one line per record, without characters that control a terminal."""

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
    threading.excepthook = _log_uncaught  # Python's own hook writes to stderr without escaping


def escape(text: str) -> str:
    """Return `text` with each unprintable character written as in a Python string: \\n, \\x1b, \\u202e.

    Unprintable characters are control characters (C0 and C1), line separators, format characters such as those that
    reverse the direction of text, and lone surrogates, which cannot be encoded (Unicode's categories C and Z, except
    the space).
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _log_uncaught(what: threading.ExceptHookArgs) -> None:
    name = what.thread.name if what.thread else "a thread"
    logging.getLogger(__name__).error("%s ended", name, exc_info=what.exc_value)


class OneLine(logging.Formatter):
    """Only a record begins in the first column, so that text from clients in a message cannot look like a record."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        return escape(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        message, *traceback = super().format(record).split("\n")
        return "\n".join([message, *(f"    {escape(line)}" for line in traceback)])
