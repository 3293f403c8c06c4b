"""The URL by which this machine reaches its own gateway."""

from __future__ import annotations

# A server that listens on all addresses is reached by loopback.
LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def of_gateway(host: str, port: int) -> str:
    """Return the URL of a gateway on this machine that listens on `host`."""
    host = LOOPBACK_OF.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
