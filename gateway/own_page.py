"""Checks that a request with a session's cookie comes from a page of this service.

A browser sends the cookie without being asked. SameSite=Strict keeps the pages of other sites from using it, but not
those of other subdomains and of other ports of the same host, and not pages whose origin a setting allows.
"""

from __future__ import annotations

from flask import request

from configs.host import Host, Origin
from ovseg_core.errors import OvsegError

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def check(must_prove: bool, only_https: bool = False) -> None:
    """Check the current request. Raises OvsegError `cross_site`.

    Args:
        must_prove: refuse a request without the headers by which a browser shows where it comes from.
        only_https: a page that was loaded over http is not one of this service.
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if origin is not None and not _is_own(origin, only_https):
        raise _refusal(f"a page of {origin}")
    if site not in (None, "none", "same-origin"):
        raise _refusal(f"a page of another origin (Sec-Fetch-Site: {site})")
    if must_prove and origin is None and site != "same-origin":
        raise _refusal("a request without the header Origin")


def _is_own(origin: str, only_https: bool) -> bool:
    try:
        page, host = Origin.parse(origin), Host.parse(request.headers.get("Host", ""))
    except ValueError:
        return False
    return page.is_of(host) and (page.scheme == "https" or not only_https)


def _refusal(source: str) -> OvsegError:
    return OvsegError("cross_site", f"{source} may not use a session of this service; send an API key instead")
