"""`python -m tests.support.stranger`: another user of this machine, who makes the attempts that a test lists.

Root starts it, so that it can import what it needs. Then it becomes uid 65534 without groups. It reads one JSON object
from standard input and writes one: the outcome of each attempt.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401  the first look-up of a name loads it, and by then it may be out of reach
import json
import os
import socket
import ssl
import sys
from typing import Any

NOBODY = 65534
ANSWER_SECONDS = 5.0
ANSWER_BYTES = 2000


def main() -> None:
    wanted: dict[str, Any] = json.load(sys.stdin)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    answers = {
        "tcp": [ask(**attempt) for attempt in wanted["tcp"]],
        "unix": [connect(path) for path in wanted["unix"]],
        "files": [read(path) for path in wanted["files"]],
    }
    json.dump(answers, sys.stdout)


def ask(address: str, port: int, data: str, tls: bool) -> str:
    """Return what a port answers to these bytes (in Latin-1), or how it refused."""
    try:
        with socket.create_connection((address, port), ANSWER_SECONDS) as plain:
            if not tls:
                return _answer(plain, data)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(plain) as wrapped:
                return _answer(wrapped, data)
    except ssl.SSLError as error:
        return f"refused: {error.reason}"
    except OSError as error:
        return f"refused: {type(error).__name__}"


def _answer(door: socket.socket, data: str) -> str:
    door.sendall(data.encode("latin-1"))
    answer = b""
    while len(answer) < ANSWER_BYTES and (chunk := door.recv(ANSWER_BYTES)):
        answer += chunk
        if data.startswith("PRI"):  # HTTP/2 keeps the connection
            break
    return answer.decode("latin-1")


def connect(path: str) -> str:
    with socket.socket(socket.AF_UNIX) as door:
        try:
            door.connect("\0" + path[1:] if path.startswith("@") else path)
        except OSError as error:
            return type(error).__name__
    return "connected"


def read(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  Path.open would add nothing
            file.read(1)
    except OSError as error:
        return type(error).__name__
    return "read"


if __name__ == "__main__":
    main()
