"""A wrong setting is reported at the start, in one line, without values that may be secret."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from configs.settings import Settings
from ovseg.embedded import certificates
from tests.support import commands
from worker.store.storage import Storage

SECRET = "hunter2"


@pytest.mark.slow
def test_a_redis_that_is_not_supported_stops_every_process_in_one_line(tmp_path: Path) -> None:
    names = ("up", "demo", "gateway", "worker", "webhooks", "reaper", "recover")
    lines = commands.stderr_of(*names, OVSEG_REDIS_URL=f"sentinel://:{SECRET}@h:26379/0", XDG_DATA_HOME=str(tmp_path))
    line = (
        "Error: OVSEG_REDIS_URL: sentinel:// is not supported; allowed are redis://host:port/db, "
        "rediss://host:port/db (TLS) or unix:///path?db=0"
    )
    assert lines == [written for name in names for written in (line, f"{name} exited with 1")]


REDIS = {
    "sentinel": f"sentinel://:{SECRET}@h:26379/0",
    "http": f"http://:{SECRET}@h/0",
    "cluster": f"redis+cluster://:{SECRET}@h:7000",
    "kombu's socket": f"redis+socket:///tmp/{SECRET}.sock",
    "no scheme": f":{SECRET}@h:6379",
    "a password for a scheme": f"{SECRET}@x://h",
    "capitals": f"REDIS://:{SECRET}@h",
    "empty": "",
    "no host": f"redis://:{SECRET}@/0",
    "nothing after the scheme": "redis://",
    "port 0": f"redis://:{SECRET}@h:0/0",
    "port too high": f"redis://:{SECRET}@h:65536/0",
    "port is a word": f"redis://u@h:{SECRET}/0",
    "port is empty": f"redis://:{SECRET}@h:/0",
    "a slash in the password": f"redis://:pa/{SECRET}@h:6379/0",
    "a hash in the password": f"redis://:pa#{SECRET}@h:6379/0",
    "a question mark in the password": f"redis://:pa?{SECRET}@h:6379/0",
    "a bracket in the password": f"redis://:[{SECRET}@h:6379/0",
    "db is a word": f"redis://:{SECRET}@h/zero",
    "db is negative": f"redis://:{SECRET}@h/-1",
    "db in other digits": f"redis://:{SECRET}@h/\u0663",
    "two dbs": f"redis://:{SECRET}@h/1?db=2",
    "password as a parameter": f"redis://h/0?password={SECRET}",
    "a time-out as a parameter": "redis://h/0?socket_timeout=5",
    "verification switched off": f"rediss://:{SECRET}@h/0?ssl_cert_reqs=none",
    "host name not verified": f"rediss://:{SECRET}@h/0?ssl_check_hostname=false",
    "a space": f"redis://:{SECRET} @h/0",
    "a newline": f"redis://:{SECRET}@h/0\n",
    "no path": "unix://",
    "no path but a host": f"unix://{SECRET}",
    "the root": "unix:///?db=0",
    "a relative path": f"unix://run/{SECRET}.sock",
    "a path too long": f"unix:///{SECRET}{'x' * 101}",
}
HTTP = {
    "another scheme": f"s3://{SECRET}",
    "a file": f"file:///{SECRET}",
    "no scheme": f"{SECRET}.example:9000",
    "no host": "https:///bucket",
    "port 0": "http://h:0",
    "port too high": "http://h:70000",
    "port is a word": f"http://h:{SECRET}",
    "a password": f"https://user:{SECRET}@h",
    "a query": f"https://h/?key={SECRET}",
    "a space": f"https://h/ {SECRET}",
}
WRONG = [
    *(pytest.param("redis_url", value, id=f"redis: {why}") for why, value in REDIS.items()),
    *(
        pytest.param(name, value, id=f"{name}: {why}")
        for name in ("s3_endpoint_url", "s3_public_endpoint_url")
        for why, value in HTTP.items()
    ),
    *(pytest.param("s3_bucket", value, id=f"bucket {value!r}") for value in ("", "a", "a/b", "a b", "../a", "a" * 256)),
    *(pytest.param("s3_region", value, id=f"region {value!r}") for value in ("", "a b", "-a", "a" * 64, "eu/x", "12")),
    pytest.param("webhook_secret", SECRET, id="webhook secret"),
    pytest.param("lease_seconds", "inf", id="a lease without end"),
    pytest.param("retention_seconds", "nan", id="a retention that is not a number"),
    pytest.param("gateway_host", "", id="a host that would be all addresses"),
    pytest.param("gateway_port", f"tcp://{SECRET}:8080", id="a port as Kubernetes sets it for a Service"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_refused_in_one_line_that_does_not_repeat_it(name: str, value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({name: value})
    (error,) = caught.value.errors()
    assert error["loc"] == (name,)
    assert len(error["msg"]) > 20
    assert "\n" not in error["msg"]
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("redis_url", "redis://h"),
        ("redis_url", "rediss://user:p%23@h.example:6380/15"),
        ("redis_url", "redis://[::1]:6379?db=2"),
        ("redis_url", "unix:///run/a.sock"),
        ("s3_endpoint_url", "http://[::1]:9000"),
        ("s3_endpoint_url", "https://h.example/storage/v1/s3"),
        ("s3_bucket", "arn:aws:s3:us-west-2:123456789012:accesspoint/my"),
        ("s3_region", "auto"),
        ("s3_endpoint_url", "HTTPS://h:8443/a%20b/"),
    ],
)
def test_a_correct_value_is_accepted(name: str, value: str) -> None:
    assert getattr(Settings.model_validate({name: value}), name) == value


def test_an_empty_data_dir_is_none_and_not_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVSEG_DATA_DIR", "")
    assert Settings().data_dir is None


def test_settings_are_printed_without_secrets() -> None:
    from configs import webhook_secret

    secret = webhook_secret.new()
    printed = repr(Settings(redis_url=f"redis://:{SECRET}@h", webhook_secret=secret))
    assert SECRET not in printed
    assert secret not in printed


TLS = "rediss://h/0"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"redis_url": TLS, "redis_ca_file": "missing.pem"}, "redis_ca_file"),
        ({"redis_url": TLS, "redis_ca_file": "folder"}, "redis_ca_file"),
        ({"redis_url": TLS, "redis_ca_file": "text.pem"}, "redis_ca_file"),
        ({"redis_url": "redis://h/0", "redis_ca_file": "good.pem"}, "redis_ca_file"),
        ({"redis_url": "unix:///a.sock", "redis_cert_file": "good.pem"}, "redis_cert_file"),
        ({"redis_url": TLS, "redis_cert_file": "missing.pem"}, "redis_cert_file"),
        ({"redis_url": TLS, "redis_cert_file": "text.pem"}, "redis_cert_file"),
        ({"redis_url": TLS, "redis_cert_file": "good.pem", "redis_key_file": "other.pem"}, "redis_cert_file"),
        ({"redis_url": TLS, "redis_key_file": "good.pem"}, "redis_cert_file"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_refused(given: dict[str, Any], named: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.pem").write_text("no certificate")
    for name in ("good.pem", "other.pem"):
        (tmp_path / name).write_bytes(certificates.new(datetime.now(UTC)))
    Settings(redis_url=TLS, redis_ca_file=tmp_path / "good.pem", redis_cert_file=tmp_path / "other.pem")
    paths = {name: tmp_path / value if name.endswith("file") else value for name, value in given.items()}
    with pytest.raises(ValidationError) as caught:
        Settings(**paths)
    (error,) = caught.value.errors()
    assert error["loc"] == (named,)
    assert "\n" not in error["msg"]


REGION_OF_PROFILE = "[default]\nregion = eu-profile-1\n"


@pytest.mark.parametrize(
    ("environment", "config", "region"),
    [
        ({}, "", "us-east-1"),
        ({}, REGION_OF_PROFILE, "eu-profile-1"),
        ({"AWS_DEFAULT_REGION": "eu-default-1"}, REGION_OF_PROFILE, "eu-default-1"),
        ({"AWS_REGION": "eu-region-1"}, REGION_OF_PROFILE, "eu-region-1"),
        ({"AWS_REGION": "eu-region-1", "AWS_DEFAULT_REGION": "eu-default-1"}, "", "eu-region-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-default-1"}, "", "eu-default-1"),
        ({"OVSEG_S3_REGION": "eu-own-1", "AWS_REGION": "eu-region-1"}, REGION_OF_PROFILE, "eu-own-1"),
    ],
)
@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:9"])
def test_urls_are_signed_for_the_region_that_is_set(
    environment: dict[str, str],
    config: str,
    region: str,
    endpoint: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "config").write_text(config)
    for name in ("OVSEG_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_CONFIG_FILE": str(tmp_path / "config")}
    for name, value in {**keys, **environment}.items():
        monkeypatch.setenv(name, value)
    url = Storage(Settings(s3_endpoint_url=endpoint)).links.sign("key")
    assert f"%2F{region}%2Fs3%2Faws4_request" in url


@pytest.mark.parametrize(("name", "value"), [("AWS_REGION", "a b"), ("AWS_PROFILE", "there-is-none")])
def test_an_unknown_region_or_profile_stops_a_process_in_one_line(name: str, value: str, redis_url: str) -> None:
    names = ("gateway", "worker", "reaper", "recover")
    lines = commands.stderr_of(*names, **{name: value}, OVSEG_REDIS_URL=redis_url)
    assert lines[1::2] == [f"{name} exited with 1" for name in names]
    assert all(line.startswith("Error: object storage cannot be set up: ") for line in lines[::2])
    assert len(lines) == 2 * len(names)


def test_a_recovery_without_storage_ends_in_one_line(redis_url: str) -> None:
    s3 = {"OVSEG_S3_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}
    reason, ending = commands.stderr_of("recover", OVSEG_REDIS_URL=redis_url, **s3)
    assert reason.startswith("Error: object storage is unreachable: ")
    assert ending == "recover exited with 1"


def test_every_setting_is_read_by_something() -> None:
    root = Path(__file__).parents[1]
    read = set()
    for folder in ("gateway", "ovseg", "worker"):
        for file in (root / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_bytes())):
                # `settings.x`, `self._settings.x`, `_settings().x`
                if isinstance(node, ast.Attribute) and ast.unparse(node.value).removesuffix("()").endswith("settings"):
                    read.add(node.attr)
    assert set(Settings.model_fields) - read == set()
