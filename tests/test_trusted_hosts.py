"""OVSEG_ALLOWED_PRIVATE_HOSTS."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.outbound.web_url import check_url


def passes(url: str, hosts: str) -> bool:
    try:
        check_url(url, "image", Settings.model_validate({"allowed_private_hosts": hosts}))
    except OvsegError:
        return False
    return True


@pytest.mark.parametrize(
    ("hosts", "trusted", "refused"),
    [
        ("localhost", ["http://localhost:9000/", "http://LOCALHOST./"], ["http://127.0.0.1/", "http://a.localhost/"]),
        ("localhost:9000", ["http://localhost:9000/"], ["http://localhost/", "http://localhost:9001/"]),
        ("127.0.0.1:9000", ["http://127.0.0.1:9000/", "http://127.1:9000/"], ["http://127.0.0.1/"]),
        ("[::1]:9000", ["http://[::1]:9000/", "http://[0::1]:9000/"], ["http://[::1]/", "http://[::2]:9000/"]),
        ("[::1]", ["http://[::1]/", "http://[::1]:9000/"], ["http://[::2]/"]),
        ("::1", ["http://[::1]:9000/"], ["http://127.0.0.1/"]),
        (
            ".local.test",
            ["http://a.local.test:9/", "http://a.b.local.test:9/"],
            ["http://local.test:9/", "http://xlocal.test:9/"],
        ),
        ("*.local.test:9000", ["http://a.local.test:9000/"], ["http://a.local.test:9/"]),
        (
            "10.0.0.0/8",
            ["http://10.9.8.7:9000/", "http://0xa000001/"],
            ["http://11.0.0.1:9000/", "http://[::ffff:10.0.0.1]/"],
        ),
        ("10.0.0.0/8:9000", ["http://10.0.0.1:9000/"], ["http://10.0.0.1/"]),
        ("fd00::/8", ["http://[fd00::1]:9000/"], ["http://[fc00::1]/"]),
        ("[fd00::/8]:9000", ["http://[fd00::1]:9000/"], ["http://[fd00::1]/"]),
        (" minio , MINIO2:9000 ,", ["http://minio:1/", "http://minio2:9000/"], ["http://minio3:9000/"]),
    ],
)
def test_an_entry_trusts_what_it_names_and_nothing_else(hosts: str, trusted: list[str], refused: list[str]) -> None:
    assert [url for url in trusted if not passes(url, hosts)] == []
    assert [url for url in refused if passes(url, hosts)] == []


@pytest.mark.parametrize(
    "entry",
    [
        "http://minio",
        "minio:0",
        "minio:99999",
        "minio:port",
        "[::1",
        "10.0.0.0/33",
        "10.0.0.0/8/9",
        "*",
        ".",
        "a b",
        "a*b",
        # Addresses in notations that no URL is compared with; such an entry would silently match nothing.
        "127.1",
        "010.0.0.1",
        "0x7f000001",
        "10.0.0",
        "10.0.0.256:80",
        "fe80::1%eth0",
    ],
)
def test_a_wrong_entry_stops_the_process_at_its_start(entry: str) -> None:
    with pytest.raises(ValidationError, match=r"is none of these: a host \(minio\)"):
        Settings.model_validate({"allowed_private_hosts": entry})


def test_port_0_is_never_trusted() -> None:
    assert not passes("http://minio:0/", "minio")
