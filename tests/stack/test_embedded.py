"""The embedded servers keep their doors shut."""

from __future__ import annotations

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from cli.embedded import ports, sockets
from cli.embedded.seaweedfs import BUCKET, Seaweedfs
from configs.settings import Settings
from worker.storage import Storage


def test_the_identity_may_use_its_bucket_and_nothing_else(s3_settings: Settings, s3: Seaweedfs) -> None:
    storage = Storage(s3_settings)
    storage.put("a/b", b"bytes", "text/plain")
    assert storage.get("a/b") == b"bytes"
    client = boto3.client("s3", endpoint_url=s3.endpoint_url, region_name="us-east-1")
    for forbidden in (
        lambda: client.create_bucket(Bucket="another"),
        lambda: client.delete_bucket(Bucket=BUCKET),
        lambda: client.put_object(Bucket="another", Key="a", Body=b""),
    ):
        with pytest.raises(ClientError) as caught:
            forbidden()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404)


def test_a_stranger_on_the_machine_gets_nothing(s3_settings: Settings, s3: Seaweedfs) -> None:
    Storage(s3_settings).put("secret", b"secret", "text/plain")
    assert requests.get(f"{s3.endpoint_url}/{BUCKET}/secret", timeout=10).status_code == 403
    filer = f"http://127.0.0.1:{s3.ports['filer']}/buckets/{BUCKET}/secret"
    assert requests.get(filer, timeout=10).status_code == 401
    assert requests.delete(filer, timeout=10).status_code == 401
    assert Storage(s3_settings).get("secret") == b"secret"


def test_ports_and_keys_are_kept(s3: Seaweedfs) -> None:
    assert s3.folder.joinpath("ports.json").exists()
    assert oct(s3.folder.joinpath("keys.json").stat().st_mode)[-3:] == "600"
    assert len(set(s3.ports.values())) == 5


def test_chosen_ports_leave_room_for_their_grpc_companions() -> None:
    chosen = ports.choose(("a", "b", "c"))
    assert len(set(chosen.values())) == 3
    assert all(port + ports.GRPC_OFFSET < 32768 for port in chosen.values())


def test_a_socket_lies_beside_its_data_unless_the_kernel_forbids(tmp_path_factory: pytest.TempPathFactory) -> None:
    short, long = tmp_path_factory.mktemp("s"), tmp_path_factory.mktemp("l" * 100)
    assert sockets.path(short, "x").parent == short
    elsewhere = sockets.path(long, "x")
    assert len(str(elsewhere)) < 108
    assert elsewhere == sockets.path(long, "x")
    elsewhere.parent.chmod(0o755)
    with pytest.raises(PermissionError):
        sockets.path(long, "x")
    elsewhere.parent.rmdir()
