"""How a URL is parsed, and which URLs are allowed, before any host is resolved."""

from __future__ import annotations

import ipaddress

import pytest

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.outbound.public_address import is_public
from worker.outbound.web_url import MAX_LENGTH, WebUrl, check_url, host_of


def refused(url: str, settings: Settings | None = None) -> OvsegError:
    with pytest.raises(OvsegError) as caught:
        check_url(url, "image", settings or Settings())
    assert caught.value.field == "image"
    assert caught.value.message.isprintable()
    return caught.value


PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.100.100.200",  # the metadata service of a cloud, in the range of carrier-grade NAT
    "127.0.0.1",
    "168.63.129.16",
    "169.254.169.254",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.19.0.1",
    "203.0.113.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # IPv4-compatible
    "::ffff:127.0.0.1",  # IPv4-mapped
    "::ffff:0:127.0.0.1",  # SIIT
    "::5efe:127.0.0.1",  # ISATAP
    "fe80::5efe:10.0.0.1",
    "2001:4860::5efe:127.0.0.1",
    "2001:4860::200:5efe:127.0.0.1",
    "64:ff9b::127.0.0.1",  # NAT64
    "64:ff9b:1::10.0.0.1",
    "64:ff9b::8.8.8.8",
    "100::1",  # discarded
    "2001::1",  # Teredo
    "2001:2::1",
    "2001:db8::1",
    "2002:7f00:1::1",  # 6to4
    "3fff::1",
    "4000::1",  # outside of global unicast, like all that follow
    "5f00::1",
    "8000::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "172.32.0.1",
    "::ffff:8.8.8.8",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "2a00:1450::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    for url in (f"http://{host}/", f"https://{host}:443/a.jpg", f"HTTP://{host}"):
        assert refused(url).code == "url_forbidden"


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
    check_url(f"http://[{address}]/" if ":" in address else f"http://{address}/", "image", Settings())


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7F.1",
        "127.1",
        "127.0.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "localhost.",
        "LOCALHOST",
        "a.localhost",
        "１２７.０.０.１",  # noqa: RUF001  full-width digits, which IDNA maps to ASCII
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "ｌｏｃａｌｈｏｓｔ",  # noqa: RUF001
        "[::1%25eth0]",
        "[2606:4700::1%25eth0]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
    ],
)
def test_no_spelling_of_a_private_address_is_allowed(host: str) -> None:
    assert refused(f"http://{host}/").code == "url_forbidden"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://example.com:0/", "url_forbidden"),
        ("http://example.com:00/", "url_forbidden"),
        ("http://example.com:22/", "url_forbidden"),
        ("http://example.com:65536/", "url_invalid"),
        ("http://example.com:-1/", "url_invalid"),
        ("http://me@example.com/", "url_forbidden"),
        ("http://@example.com/", "url_forbidden"),
        ("http://:@example.com/", "url_forbidden"),
        ("http://example.com\\@127.0.0.1/", "url_forbidden"),
        ("http://127.0.0.1\\.example.com/", "url_invalid"),
        ("http://[", "url_invalid"),
        ("http://[::1", "url_invalid"),
        ("http://[::g]/", "url_invalid"),
        ("http://[v1.a]/", "url_invalid"),
        ("http://[127.0.0.1]/", "url_invalid"),
        ("http://[2606:4700::1111].example.com/", "url_invalid"),
        ("http://1.2.3.4.5/", "url_invalid"),
        ("http://256.1.1.1/", "url_invalid"),
        ("http://08.1.1.1/", "url_invalid"),
        ("http://a..b/", "url_invalid"),
        ("http://%31%32%37.0.0.1/", "url_invalid"),
        ("http://a b/", "url_invalid"),
        ("http://\x1bc/", "url_invalid"),
        ("http://\ud800/", "url_invalid"),
        ("http://example.com/\ud800", "url_invalid"),
        ("http://℀.com/", "url_invalid"),
        ("http://" + "a" * 64 + ".com/", "url_invalid"),
        ("http://example.com/" + "a" * MAX_LENGTH, "url_invalid"),
        ("http://" + "é" * 8000 + "/", "url_invalid"),
        ("file:///etc/passwd", "url_invalid"),
        ("gopher://example.com/", "url_invalid"),
        ("http:example.com", "url_invalid"),
        ("//example.com/", "url_invalid"),
        ("", "url_invalid"),
    ],
)
def test_an_invalid_or_forbidden_url_is_refused(url: str, code: str) -> None:
    assert refused(url).code == code


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("HTTPS://EXAMPLE.com", "https://example.com/"),
        (" \thttp://example.com/a\n", "http://example.com/a"),
        ("http://example.com:80/", "http://example.com/"),
        ("http://example.com:/", "http://example.com/"),
        ("https://example.com:80/", "https://example.com:80/"),
        ("http://example.com./", "http://example.com/"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://a_b.example/", "http://a_b.example/"),
        ("http://134744072/", "http://8.8.8.8/"),
        ("http://[2606:4700:0::1111]:443/", "http://[2606:4700::1111]:443/"),
        ("http://example.com//key.jpg?X-Amz-Signature=a%2Fb+c", "http://example.com//key.jpg?X-Amz-Signature=a%2Fb+c"),
        ("http://example.com/図 é.jpg?q=é#part", "http://example.com/%E5%9B%B3%20%C3%A9.jpg?q=%C3%A9"),
        ("http://example.com/\x1b[31m", "http://example.com/%1B[31m"),
        ("http://example.com?q=a/b?c", "http://example.com/?q=a/b?c"),
    ],
)
def test_a_url_is_sent_in_its_normal_form(given: str, sent: str) -> None:
    assert str(WebUrl.parse(given, "image")) == sent
    assert str(WebUrl.parse(sent, "image")) == sent
    check_url(given, "image", Settings())


def test_host_of_is_equal_for_all_spellings_of_a_host() -> None:
    assert {host_of(url) for url in ("https://a.example/b", "HTTPS://A.example.:443/")} == {"a.example:443"}
