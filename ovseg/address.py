"""How this machine reaches a gateway of its own."""

from __future__ import annotations

# An address that stands for all of this machine's is reached by loopback.
LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def of_gateway(host: str, port: int) -> str:
    """The URL of a gateway on this machine that listens on `host`."""
    host = LOOPBACK_OF.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
