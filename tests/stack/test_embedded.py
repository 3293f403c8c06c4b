"""The embedded servers refuse other users of the machine."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from configs.settings import Settings
from ovseg.child import Child
from ovseg.embedded import certificates, data_dir, ports, sockets, valkey
from ovseg.embedded.doors import DoorOpen
from ovseg.embedded.seaweedfs import BUCKET, Seaweedfs
from ovseg.stack import Plan, Stack, free_port
from tests.support.root import require_root
from tests.support.waiting import wait_until
from worker.store.storage import Storage


def test_the_identity_may_use_its_bucket_and_nothing_else(s3_settings: Settings, s3: Seaweedfs) -> None:
    storage = Storage(s3_settings)
    storage.put("a/b", b"bytes", "text/plain")
    assert storage.get("a/b") == b"bytes"
    client = boto3.client("s3", endpoint_url=s3.endpoint_url, region_name="us-east-1")
    forbidden: list[Callable[[], object]] = [
        lambda: client.create_bucket(Bucket="another"),
        lambda: client.delete_bucket(Bucket=BUCKET),
        lambda: client.put_object(Bucket="another", Key="a", Body=b""),
    ]
    for call in forbidden:
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404)


def test_a_stranger_on_the_machine_gets_nothing(s3_settings: Settings, s3: Seaweedfs) -> None:
    Storage(s3_settings).put("secret", b"secret", "text/plain")
    assert requests.get(f"{s3.endpoint_url}/{BUCKET}/secret", timeout=60).status_code == 403
    assert requests.delete(f"{s3.endpoint_url}/{BUCKET}/secret", timeout=60).status_code == 403
    filer = f"https://127.0.0.1:{s3.ports['filer']}/buckets/{BUCKET}/secret"
    with pytest.raises(requests.exceptions.ConnectionError, match="CERTIFICATE_REQUIRED"):
        requests.get(filer, timeout=60, verify=str(s3.folder / "certificate.pem"))
    assert Storage(s3_settings).get("secret") == b"secret"


@pytest.mark.parametrize(
    ("missing", "open_door"),
    [("WEED_GRPC_CA", "gRPC port"), ("WEED_HTTPS_MASTER_CA", "master port")],
)
def test_a_port_that_seaweedfs_leaves_open_is_noticed(tmp_path: Path, missing: str, open_door: str) -> None:
    """Without this certificate SeaweedFS starts, stores objects, and serves every client."""
    weed = Seaweedfs(tmp_path)
    command = weed.command()
    left = {name: value for name, value in command.environment.items() if name != missing}
    server = Child(replace(command, environment=left), lambda *_: None)
    try:
        with pytest.raises(DoorOpen, match=open_door):
            wait_until(weed.is_ready)
    finally:
        server.ask_to_end()
        server.end_by(time.monotonic() + 10)
        weed.remove_sockets()


def test_a_stack_stops_when_seaweedfs_is_restarted_with_an_open_port(tmp_path: Path) -> None:
    own = Settings(redis_url="redis://127.0.0.1:9/0")  # so that SeaweedFS is the only server to start
    stack = Stack(Plan(tmp_path, "127.0.0.1", free_port(), "cpu", own), lambda *_: None, lambda: False)
    try:
        stack.start_servers()
        weed = stack.children["seaweedfs"]
        left = {name: value for name, value in weed.command.environment.items() if name != "WEED_GRPC_CA"}
        weed.command = replace(weed.command, environment=left)
        os.kill(weed.pid, signal.SIGKILL)
        with pytest.raises(DoorOpen, match="gRPC port"):
            wait_until(lambda: stack.look_after())
    finally:
        stack.stop()


def test_a_certificate_is_kept_until_its_last_year(tmp_path: Path) -> None:
    path = tmp_path / "certificate.pem"
    certificates.keep(path)
    made = path.read_bytes()
    assert oct(path.stat().st_mode)[-3:] == "600"
    certificates.keep(path)
    assert path.read_bytes() == made

    path.write_bytes(certificates.new(datetime.now(UTC) - timedelta(days=8 * 365)))
    young = path.read_bytes()
    certificates.keep(path)
    assert path.read_bytes() == young
    path.write_bytes(certificates.new(datetime.now(UTC) - timedelta(days=9 * 365 + 10)))
    old = path.read_bytes()
    certificates.keep(path)
    assert path.read_bytes() != old


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _use_another_key(path: Path) -> None:
    end = b"-----END CERTIFICATE-----\n"
    other = certificates.new(datetime.now(UTC))
    path.write_bytes(path.read_bytes().partition(end)[0] + end + other.partition(end)[2])


@pytest.mark.parametrize(
    "spoil",
    [_truncate, _use_another_key, lambda path: path.write_bytes(b""), lambda path: path.chmod(0o644)],
    ids=["truncated", "another key", "empty", "others could read it"],
)
def test_a_certificate_that_cannot_be_trusted_is_replaced(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = tmp_path / "certificate.pem"
    certificates.keep(path)
    spoil(path)
    spoilt = path.read_bytes()
    certificates.keep(path)
    assert path.read_bytes() != spoilt
    assert oct(path.stat().st_mode)[-3:] == "600"
    ssl.create_default_context(cafile=path).load_cert_chain(path)


def test_ports_and_keys_are_kept(s3: Seaweedfs) -> None:
    assert s3.folder.joinpath("ports.json").exists()
    assert oct(s3.folder.joinpath("keys.json").stat().st_mode)[-3:] == "600"
    assert len(set(s3.ports.values())) == 5


def test_chosen_ports_leave_room_for_their_grpc_ports() -> None:
    chosen = ports.choose(("a", "b", "c"))
    assert len(set(chosen.values())) == 3
    assert all(port + ports.GRPC_OFFSET < 32768 for port in chosen.values())


def test_a_socket_is_next_to_its_data_unless_the_path_is_too_long(tmp_path_factory: pytest.TempPathFactory) -> None:
    short, long = tmp_path_factory.mktemp("s"), tmp_path_factory.mktemp("l" * 100)
    assert sockets.path(short, "x").parent == short
    elsewhere = sockets.path(long, "x")
    assert len(str(elsewhere)) < 108
    assert elsewhere == sockets.path(long, "x")
    elsewhere.parent.chmod(0o755)
    with pytest.raises(PermissionError):
        sockets.path(long, "x")
    elsewhere.parent.rmdir()
    elsewhere.parent.symlink_to(short)  # by another user, who guessed the name
    with pytest.raises(PermissionError):
        sockets.path(long, "x")
    elsewhere.parent.unlink()


def test_a_dangling_link_under_tmp_blocks_no_port() -> None:
    link = Path(f"/tmp/seaweedfs-test-{ports.HIGHEST}.sock")
    link.symlink_to("/nowhere")
    try:
        assert ports.is_free(ports.HIGHEST)
    finally:
        link.unlink()


@pytest.mark.parametrize("name", ["valkey", "seaweedfs", "webhook-secret.json"])
def test_what_another_user_put_into_the_data_folder_is_not_used(name: str, tmp_path: Path) -> None:
    require_root()
    planted = tmp_path / name
    planted.write_text('"whsec_theirs"') if name.endswith(".json") else planted.mkdir()
    os.chown(planted, 65534, 65534)
    use: dict[str, Callable[[Path], object]] = {
        "valkey": valkey.command,
        "seaweedfs": Seaweedfs,
        "webhook-secret.json": lambda path: data_dir.kept(path, str),
    }
    with pytest.raises(PermissionError, match="belongs to another user"):
        use[name](planted)


@pytest.mark.parametrize(("variable", "folder"), [("HOME", ".local/share/ovseg"), ("XDG_DATA_HOME", "ovseg")])
def test_without_a_data_dir_the_stack_uses_the_users_folder_unless_another_stack_does(
    variable: str, folder: str, tmp_path: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("XDG_DATA_HOME", "OVSEG_DATA_DIR")}
    with data_dir.locked(tmp_path / folder):
        command = [sys.executable, "-m", "ovseg", "up", "--port", "0"]
        ran = subprocess.run(
            command, env={**environment, variable: str(tmp_path)}, capture_output=True, text=True, timeout=300
        )
    assert ran.returncode == 1
    assert f"another `ovseg up` (process {os.getpid()}) runs on {tmp_path / folder}; stop it" in ran.stdout + ran.stderr
    with data_dir.locked(tmp_path / folder):  # the lock is free again
        pass
