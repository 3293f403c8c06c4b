"""Refuses requests from other sites' web pages, by the request's Host, Origin and content type.

A browser sends requests on behalf of every page it shows. `Host` exposes a page whose own name was made to resolve to
this machine (DNS rebinding). `Origin` (RFC 6454) and `Sec-Fetch-Site` (W3C Fetch Metadata) state the site of the page;
a page cannot set them, and programs send neither. A page of another site may send the content type JSON only with a
permission (CORS), which only the origins of OVSEG_CORS_ORIGINS get.
"""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask, request
from werkzeug.exceptions import BadRequest

from configs.host import Host, HostPattern, Origin, is_loopback
from configs.settings import Settings
from gateway import body, own_page
from gateway.mark import Mark
from ovseg_core.errors import OvsegError

# True for probes and scrapers, which call the service by its address. Their answers contain nothing of a job.
takes_any_host = Mark(False)


class Door:
    """Checks requests against the hosts that the settings allow."""

    def __init__(self, settings: Settings) -> None:
        self._cors_origins = settings.cors_origins
        self._named = [HostPattern(text) for text in settings.gateway_allowed_hosts]
        self._takes_any_host = not self._named and not is_loopback(settings.gateway_host)
        own = [settings.gateway_host] if is_loopback(settings.gateway_host) else []
        self._hosts = [*self._named, *(HostPattern(text) for text in ("localhost", "127.0.0.1", "::1", *own))]

    def check(self) -> None:
        """Check the current request. Raises OvsegError `host_not_allowed`, `cross_site`, `unsupported_media_type`, and
        BadRequest.
        """
        host = self._host()
        if request.method not in own_page.SAFE_METHODS:
            self._check_origin(host)
            if request.endpoint and request.content_length:
                body.check_type()  # also if the view needs no body: a body that is ignored now may be read later

    def _host(self) -> Host | None:
        """Return the host in the request's Host header; None if it has no such header, which HTTP/1.0 allows."""
        text = request.environ.get("HTTP_HOST")
        if text is None:
            if request.environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
                raise BadRequest("the request has no Host header")
            return None
        try:
            host = Host.parse(text)
        except ValueError as error:
            raise BadRequest(f"Host: {error}") from None
        if not (self._takes_any_host or takes_any_host.of_view() or _matches(self._hosts, host)):
            message = (
                f"this service does not answer for {text}; OVSEG_GATEWAY_ALLOWED_HOSTS names the hosts it answers for"
            )
            raise OvsegError("host_not_allowed", message)
        return host

    def _check_origin(self, host: Host | None) -> None:
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
        if origin in self._cors_origins:
            return
        if origin is not None:
            try:
                page = Origin.parse(origin)
            except ValueError:
                raise _cross_site(origin) from None
            if _matches([pattern for pattern in self._named if pattern.text != "*"], page.host):
                return
            if host is None or not page.is_of(host):
                raise _cross_site(origin)
        if site not in ("none", "same-origin"):
            raise _cross_site(f"another site (Sec-Fetch-Site: {site})")


def guard(app: Flask) -> None:
    app.before_request(Door(app.extensions["ovseg"].settings).check)


def _matches(patterns: Iterable[HostPattern], host: Host) -> bool:
    return any(pattern.matches(host) for pattern in patterns)


def _cross_site(origin: str) -> OvsegError:
    return OvsegError(
        "cross_site",
        f"a page of {origin} may not change anything here; OVSEG_GATEWAY_ALLOWED_HOSTS names the hosts that may",
    )
