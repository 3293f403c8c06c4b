"""Another user of the machine gets nothing from `ovseg up` except what its gateway answers to every client."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pytest
import requests

from ovseg.child import Child
from ovseg.embedded.doors import DoorOpen
from ovseg.embedded.seaweedfs import BUCKET, Seaweedfs
from tests.support import listening, pictures
from tests.support.root import require_root
from tests.support.service import Service

MUST_BE_REFUSED = "refused: TLSV13_ALERT_CERTIFICATE_REQUIRED"
NEEDS_TLS = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
HARMLESS_OF_S3 = ("/status", "/healthz", "/readyz")  # they answer 200 and an empty body
PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\0\0\0\4\0\0\0\0\0"  # the first bytes of a gRPC connection
AS_AN_IMAGE_OF_A_PAGE = (
    "Host: rebound.example\r\nOrigin: https://evil.example\r\nReferer: https://evil.example/\r\n"
    "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n"
)


@pytest.fixture(scope="module")
def stack() -> Iterator[Service]:
    """Run a stack in a folder that others can read, left by a version that had no certificates."""
    require_root()
    folder = Path(tempfile.mkdtemp(prefix="ovseg-doors-"))
    try:
        folder.chmod(0o755)
        make_old_folder(folder)
        running = Service(folder)
        try:
            yield running.wait_until_ready()
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder)


def make_old_folder(folder: Path) -> None:
    """Make a folder like that of the previous version, which had no certificates, with files that others can read."""
    weed = Seaweedfs(folder / "seaweedfs")
    server = Child(weed.command(), lambda *_: None)
    try:
        deadline = time.monotonic() + 60
        while not weed.is_ready():
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        server.ask_to_end()
        server.end_by(time.monotonic() + 10)
    (weed.folder / "certificate.pem").unlink()
    (folder / "lock").touch(mode=0o644)
    for path in weed.folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    weed.folder.chmod(0o755)


def kept(stack: Service, name: str) -> Any:
    return json.loads((stack.data_dir / "seaweedfs" / name).read_text())


def objects(stack: Service) -> dict[str, str]:
    """Return the digest of every object by its key."""
    keys = kept(stack, "keys.json")
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{kept(stack, 'ports.json')['s3']}",
        aws_access_key_id=keys["access"],
        aws_secret_access_key=keys["secret"],
        region_name="us-east-1",
    )
    names = [found["Key"] for found in client.list_objects_v2(Bucket=BUCKET)["Contents"]]
    return {
        name: hashlib.sha256(client.get_object(Bucket=BUCKET, Key=name)["Body"].read()).hexdigest() for name in names
    }


def segmented(stack: Service) -> dict[str, Any]:
    photo = base64.b64encode(pictures.photo()).decode()
    return stack.wait(stack.submit(image=photo, prompts=[{"box": [140, 10, 305, 180]}])["id"])


def file_id(stack: Service) -> str:
    """Return an object's id at the volume server (volume, needle, cookie), from the head of the volume's file."""
    data = stack.data_dir / "seaweedfs" / "data"
    volume = max(data.rglob(f"{BUCKET}_*.dat"), key=lambda file: file.stat().st_size)
    head = volume.read_bytes()[8:20]
    return f"{volume.stem.rpartition('_')[2]},{int.from_bytes(head[4:]):x}{head[:4].hex()}"


def status_with_the_keys(stack: Service, fid: str) -> int:
    """Return the volume server's status for a request for this file with our certificate and a signed token."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    signed = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'fid': fid, 'exp': int(time.time()) + 60})}"
    mac = hmac.new(kept(stack, "keys.json")["doors"].encode(), signed.encode(), hashlib.sha256).digest()
    token = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    certificate = str(stack.data_dir / "seaweedfs" / "certificate.pem")
    url = f"https://127.0.0.1:{kept(stack, 'ports.json')['volume']}/{fid}"
    answer = requests.get(
        url, headers={"Authorization": f"BEARER {token}"}, cert=certificate, verify=certificate, timeout=60
    )
    return answer.status_code


def requests_of_an_attacker(fid: str, key: str) -> list[str]:
    """Return requests that read, forge or delete objects, for all of SeaweedFS's ports; none has a signature."""
    volume, path = fid.partition(",")[0], quote(f"/{BUCKET}/{key}")
    lines = [
        f"GET /col/delete?collection={BUCKET}",
        f"POST /col/delete?collection={BUCKET}",
        "GET /dir/assign",
        f"GET /dir/assign?collection={BUCKET}",
        f"GET /dir/lookup?fileId={fid}&read=yes",
        f"GET /dir/lookup?fileId={fid}",
        f"GET /dir/lookup?volumeId={volume}",
        "GET /dir/status",
        "GET /cluster/status",
        "GET /vol/vacuum?garbageThreshold=0",
        f"GET /{fid}",
        f"GET /{fid.replace(',', '/')}",
        f"HEAD /{fid}",
        f"DELETE /{fid}",
        f"PUT /{fid}",
        f"GET /buckets{path}",
        f"GET /buckets{path}?metadata=true",
        f"PUT /buckets{path}",
        f"DELETE /buckets{path}",
        f"DELETE /buckets/{BUCKET}?recursive=true",
        f"GET {path}",
        f"PUT {path}",
        f"DELETE {path}",
        f"POST /{BUCKET}?delete",
        f"DELETE /{BUCKET}",
        f"GET /{BUCKET}?list-type=2",
        "POST /?Action=CreateAccessKey&UserName=ovseg&Version=2010-05-08",
        "GET /",
        "GET /status",
        "GET /healthz",
        "GET /readyz",
        "GET /stats/disk",
        "GET /metrics",
        "GET /debug/pprof/",
        "GET /api/cluster/topology",
    ]
    return [*(_request(line, "Host: 127.0.0.1\r\n") for line in lines), _request(lines[0], AS_AN_IMAGE_OF_A_PAGE)]


def _request(line: str, headers: str) -> str:
    body = "" if line.startswith(("GET", "HEAD", "DELETE")) else "forged"
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{line} HTTP/1.1\r\n{headers}{length}Connection: close\r\n\r\n{body}"


def stranger(**wanted: list[Any]) -> dict[str, list[str]]:
    """Return what another user gets from these ports, sockets and files."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.support.stranger"],
        input=json.dumps({"tcp": [], "unix": [], "files": []} | wanted),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    answers: dict[str, list[str]] = json.loads(ran.stdout)
    return answers


def attack(stack: Service, fid: str, key: str) -> None:
    """Attack every port that any process of the stack listens on."""
    ports = kept(stack, "ports.json")
    pids = listening.family(stack.process.pid)
    found = listening.sockets(pids)
    assert found.tcp >= {("127.0.0.1", port + offset) for port in ports.values() for offset in (0, 10_000)}
    assert ("127.0.0.1", stack.port) in found.tcp
    attempts = [
        {"address": address, "port": port, "data": data, "tls": tls}
        for address, port in sorted(found.tcp)
        if port != stack.port
        for data in (*requests_of_an_attacker(fid, key), PREFACE)
        for tls in (False, True)
    ]
    for attempt, answer in zip(attempts, stranger(tcp=attempts)["tcp"], strict=True):
        if attempt["port"] == ports["s3"]:
            assert refused_by_s3(attempt, answer), (attempt, answer)
        elif attempt["tls"]:
            assert answer == MUST_BE_REFUSED, (attempt, answer)
        else:
            assert answer in ("", NEEDS_TLS, "refused: ConnectionResetError"), (attempt, answer)


def refused_by_s3(attempt: dict[str, Any], answer: str) -> bool:
    head, _, body = answer.partition("\r\n\r\n")
    status = head.split(" ")[1] if answer.startswith("HTTP/") else answer
    if attempt["tls"]:
        return status.startswith("refused: ")
    if attempt["data"].split(" ")[1] in HARMLESS_OF_S3:
        return status == "200" and not body
    return status in ("400", "403", "404", "405")


def test_no_port_of_a_stack_serves_another_user(stack: Service) -> None:
    job = segmented(stack)
    before, fid = objects(stack), file_id(stack)
    own = [key for key in before if job["id"] in key]
    assert own
    assert status_with_the_keys(stack, fid) == 200  # the file that the attack is after exists

    attack(stack, fid, own[0])

    assert stack.get(f"/v1/jobs/{job['id']}").json()["result"] == job["result"]
    assert requests.get(job["files"]["overlay"]["url"], timeout=60).status_code == 200
    after = objects(stack)
    assert {key: after.get(key) for key in before} == before
    assert status_with_the_keys(stack, fid) == 200


def test_no_port_serves_another_user_after_seaweedfs_was_restarted(stack: Service) -> None:
    job = segmented(stack)
    before = objects(stack)
    weed = kept(stack, "ports.json")
    killed = {pid for pid in listening.family(stack.process.pid) if name_of(pid) == "weed"}
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 120
    while True:
        pids = {pid for pid in listening.family(stack.process.pid) if name_of(pid) == "weed"} - killed
        if pids and {port for _, port in listening.sockets(pids).tcp} >= set(weed.values()) and stack.is_ready():
            break
        assert time.monotonic() < deadline, stack.log()
        time.sleep(0.1)

    attack(stack, file_id(stack), next(key for key in before if job["id"] in key))

    after = objects(stack)
    assert {key: after.get(key) for key in before} == before


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def test_another_user_can_open_no_unix_socket_of_a_stack(stack: Service) -> None:
    found = listening.sockets(listening.family(stack.process.pid))
    assert not found.udp
    assert any(path.endswith("valkey.sock") for path in found.unix)
    assert not [path for path in found.unix if path.startswith("@")]  # abstract sockets have no owner
    paths = sorted(found.unix)
    assert dict(zip(paths, stranger(unix=paths)["unix"], strict=True)) == dict.fromkeys(paths, "PermissionError")


def test_another_user_can_read_no_file_and_no_secret_of_a_stack(stack: Service) -> None:
    pids = listening.family(stack.process.pid)
    kept_files = [str(path) for path in stack.data_dir.rglob("*") if path.is_file()]
    shared = ("/tmp/", "/dev/shm/", "/var/tmp/")
    open_elsewhere = [path for path in listening.open_files(pids) if path.startswith(shared) and Path(path).is_file()]
    environments = [f"/proc/{pid}/environ" for pid in pids]
    paths = sorted({*kept_files, *open_elsewhere, *environments})
    assert len(kept_files) > 10
    outcome = dict(zip(paths, stranger(files=paths)["files"], strict=True))
    assert {path: how for path, how in outcome.items() if how == "read"} == {}

    secrets = [*kept(stack, "keys.json").values(), json.loads((stack.data_dir / "webhook-secret.json").read_text())]
    commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids if Path(f"/proc/{pid}").exists()]
    assert len(commands) >= 7
    assert not [line for line in commands for secret in secrets if secret in line]
    assert not [line for line in stack.lines for secret in secrets if secret in line]


def test_a_port_that_another_user_took_is_not_mistaken_for_seaweedfs(tmp_path: Path) -> None:
    require_root()
    weed = Seaweedfs(tmp_path)
    code = f"""
import os, socket
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
door = socket.create_server(("127.0.0.1", {weed.ports["s3"]}))
print("listening", flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "listening\n"
        with pytest.raises(DoorOpen, match="taken by another user"):
            weed.doors_are_shut()
        other.kill()
