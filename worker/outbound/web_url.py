"""Parse and check the URLs of images and webhook receivers. They may name any host."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import quote, quote_from_bytes, urljoin, urlsplit

from configs import trusted_hosts
from configs.settings import Settings
from configs.trusted_hosts import Address
from ovseg_core.errors import OvsegError
from worker.outbound.public_address import is_public

DEFAULT_PORTS = {"http": 80, "https": 443}
# Presigned URLs with a session token have up to 4,000 characters; RFC 9110, section 4.1, recommends to support 8,000.
MAX_LENGTH = 8192
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_BRACKETED = re.compile(r"\[[^\[\]]*:[^\[\]]*\](:[0-9]*)?")
_IPV4_LIKE = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")  # a host whose last label is a number is an IPv4 address
# Characters that a path or query may contain unencoded (RFC 3986), and the % of those that are encoded already.
_UNENCODED = "!$%&'()*+,/:;=?@[]~"


@dataclass(frozen=True)
class WebUrl:
    """A URL in one normal form, so that our checks and libcurl read the same host.

    `host` is ASCII in lower case, without brackets or a final dot. `address` is the IP address if the host is one, in
    any spelling (127.1, 0x7f000001), and None for a name. `target` is path and query, percent-encoded.
    """

    scheme: str
    host: str
    address: Address | None
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @classmethod
    def parse(cls, text: str, field: str) -> WebUrl:
        """Parse a URL. Raises OvsegError `url_invalid`, or `url_forbidden` if it contains a user name."""
        text = text.strip()
        if len(text) > MAX_LENGTH:
            message = f"the URL has {len(text):,} characters; at most {MAX_LENGTH:,} are allowed"
            raise OvsegError("url_invalid", message, field)
        try:
            parts = urlsplit(text)
            scheme, port = parts.scheme, parts.port
            query = f"?{quote(parts.query, _UNENCODED)}" if parts.query else ""
            target = quote(parts.path or "/", _UNENCODED) + query
        except ValueError as error:  # also UnicodeEncodeError, for half of a surrogate pair
            raise OvsegError("url_invalid", "not a URL: its host, port or text is malformed", field) from error
        if scheme not in DEFAULT_PORTS or not parts.hostname:
            raise OvsegError("url_invalid", "must be an http or https URL with a host", field)
        if parts.username is not None:
            raise OvsegError("url_forbidden", "must not contain a user name or password", field)
        if "[" in parts.netloc and not _BRACKETED.fullmatch(parts.netloc):
            raise OvsegError("url_invalid", "not a URL: its host is no IP address", field)
        host = _ascii(parts.hostname, field)
        return cls(scheme, host, _literal(host, field), DEFAULT_PORTS[scheme] if port is None else port, target)

    def __str__(self) -> str:
        host = self.host if self.address is None else str(self.address)
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}{port}{self.target}"

    def redirected(self, location: bytes, field: str) -> WebUrl:
        """Resolve a `Location` header, UTF-8 or any bytes, against this URL. Raises OvsegError as `parse` does."""
        try:
            text = location.decode().strip()
        except UnicodeDecodeError:
            text = quote_from_bytes(location, "".join(map(chr, range(0x21, 0x7F))))
        try:
            return WebUrl.parse(urljoin(str(self), text), field)
        except ValueError as error:
            raise OvsegError("url_invalid", "not a URL: its host, port or text is malformed", field) from error


def check_url(url: str, field: str, settings: Settings, https_only: bool = False) -> WebUrl:
    """Parse a URL and check it as far as possible without resolving its host. Addresses are checked when dialled.

    Raises OvsegError `url_invalid` or `url_forbidden`.
    """
    return check_parsed(WebUrl.parse(url, field), field, settings, https_only)


def check_parsed(url: WebUrl, field: str, settings: Settings, https_only: bool = False) -> WebUrl:
    """Check a parsed URL as `check_url` does."""
    if url.port == 0:
        raise OvsegError("url_forbidden", "port 0 is not allowed; use 80 or 443", field)
    if is_trusted(url, settings):
        return url
    if https_only and url.scheme != "https":
        raise OvsegError("url_forbidden", "a webhook URL must be https", field)
    if url.port not in DEFAULT_PORTS.values():
        raise OvsegError("url_forbidden", f"port {url.port} is not allowed; use 80 or 443", field)
    is_local = url.host == "localhost" or url.host.endswith(".localhost")
    if is_local or (url.address is not None and not is_public(url.address)):
        raise forbidden(url, field)
    return url


def is_trusted(url: WebUrl, settings: Settings) -> bool:
    """True if the settings list this host."""
    host = url.host if url.address is None else url.address
    return trusted_hosts.is_trusted(host, url.port, settings.allowed_private_hosts)


def forbidden(url: WebUrl, field: str) -> OvsegError:
    """Return the error for a host whose address is not public."""
    return OvsegError("url_forbidden", f"{url.host} is not a public address", field)


def host_of(url: str) -> str:
    """Return `host:port` of a URL that passed `check_url`."""
    parsed = WebUrl.parse(url, "url")
    return f"{parsed.host}:{parsed.port}"


def origin_of(url: str) -> str:
    """Return `scheme://host:port` of a URL that passed `check_url`."""
    parsed = WebUrl.parse(url, "url")
    return f"{parsed.scheme}://{parsed.host}:{parsed.port}"


def _ascii(hostname: str, field: str) -> str:
    """Return a host in ASCII, as DNS requires it. Raises OvsegError."""
    host = hostname.lower()
    if len(host) <= 253 and not host.isascii():
        import idna  # takes 8 ms and few hosts need it

        try:
            host = idna.encode(host, uts46=True).decode()
        except ValueError as error:
            raise OvsegError("url_invalid", "not a URL: its host is no domain name", field) from error
    if "%" in host and ":" in host:
        raise OvsegError("url_forbidden", "an address with a zone is not a public address", field)
    if ":" in host:
        return host
    host = host.removesuffix(".")
    if not _HOST.fullmatch(host):
        raise OvsegError("url_invalid", "not a URL: its host is neither a domain name nor an address", field)
    return host


def _literal(host: str, field: str) -> Address | None:
    """Return the host's address, or None for a name. Raises OvsegError if it only looks like an address."""
    try:
        if ":" in host:
            return ipaddress.IPv6Address(host)
        return ipaddress.IPv4Address(socket.inet_aton(host)) if _IPV4_LIKE.fullmatch(host) else None
    except (ValueError, OSError) as error:
        raise OvsegError("url_invalid", "not a URL: its host is no IP address", field) from error
