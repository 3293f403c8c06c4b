"""The whole service on one machine: Valkey, SeaweedFS, gateway, worker, webhooks and reaper, one process each."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from configs import webhook_secret, webhook_signing_key
from configs.settings import Settings
from ovseg import address
from ovseg.child import Child, Command
from ovseg.embedded import data_dir, valkey
from ovseg.embedded.doors import DoorOpen
from ovseg.embedded.seaweedfs import BUCKET, Seaweedfs

Show = Callable[[str, str], None]

SERVERS_READY_SECONDS = 60.0  # Valkey may have to read a long append-only file
SERVICE_READY_SECONDS = 180.0  # a worker may have to load its model from a cold disk
FALLS_AT_START = 3  # a process that exits this often in a row will not start
GRACE_SECONDS = 5.0  # to exit, in addition to the time that a worker has for its running jobs


class StartFailed(Exception):
    """The stack did not start; the message says what to do."""


@dataclass(frozen=True)
class Plan:
    """Where the stack runs. `folder` holds all its data; `device` is the worker's device."""

    folder: Path
    host: str
    port: int
    device: str
    settings: Settings

    @property
    def url(self) -> str:
        """The URL by which this machine reaches the gateway."""
        return address.of_gateway(self.host, self.port)


class Stack:
    """Starts the servers and then the services, restarts them if they exit, and stops them in the opposite order.

    Once `is_stopping` returns True, `start` and `look_after` raise KeyboardInterrupt.
    """

    def __init__(self, plan: Plan, show: Show, is_stopping: Callable[[], bool]) -> None:
        self.plan = plan
        self._is_stopping = is_stopping
        self.environment: dict[str, str] = {}
        self._show = show
        self._servers: list[Child] = []
        self._services: list[Child] = []
        self._seaweedfs: Seaweedfs | None = None
        self._checked_pid: int | None = None  # of the SeaweedFS process whose ports were checked

    @property
    def children(self) -> dict[str, Child]:
        return {child.command.label: child for child in (*self._servers, *self._services)}

    def start(self) -> None:
        """Start everything, and return when a job can be submitted. Raises StartFailed."""
        self._wait_for_port()
        is_recovery = self._has_lost_valkey()
        self.start_servers()
        if is_recovery:
            self._recover()
        self._start_services()

    def look_after(self) -> None:
        """Restart each process that exited. Call this regularly, from the thread that started the stack.

        Raises DoorOpen if SeaweedFS was restarted and does not demand certificates.
        """
        if self._is_stopping():
            raise KeyboardInterrupt
        for child in self.children.values():
            child.look_after()
        weed = self.children.get("seaweedfs")
        if self._seaweedfs and weed and weed.pid != self._checked_pid and self._seaweedfs.doors_are_shut():
            self._checked_pid = weed.pid

    def stop(self) -> None:
        """Stop the services, which get time to finish their running jobs, and then the servers that they need."""
        for children in (self._services, self._servers):
            for child in children:
                child.ask_to_end()
            deadline = time.monotonic() + self.plan.settings.shutdown_grace_seconds + GRACE_SECONDS
            for child in children:
                child.end_by(deadline)
        if self._seaweedfs is not None:
            self._seaweedfs.remove_sockets()

    def start_servers(self) -> None:
        """Start Valkey and SeaweedFS, unless the settings name others; return when they answer. Raises StartFailed."""
        plan, given = self.plan, self.plan.settings.model_fields_set
        waits: list[tuple[str, Callable[[], str]]] = []
        if "redis_url" not in given:
            folder = plan.folder / "valkey"
            self._servers.append(Child(valkey.command(folder, plan.settings.valkey_megabytes), self._show))
            self.environment["OVSEG_REDIS_URL"] = valkey.url(folder)
            waits.append(("valkey", lambda: "" if valkey.is_ready(folder) else "it does not answer"))
        if not given & {"s3_endpoint_url", "s3_bucket"}:
            self._seaweedfs = weed = Seaweedfs(plan.folder / "seaweedfs")
            if weed.moved:
                self._show("ovseg", "SeaweedFS's ports were taken; it has new ones, and URLs signed earlier are void")
            self._servers.append(Child(weed.command(), self._show))
            self.environment |= {"OVSEG_S3_ENDPOINT_URL": weed.endpoint_url, "OVSEG_S3_BUCKET": BUCKET}
            self.environment |= weed.credentials
            waits.append(("seaweedfs", lambda: "" if weed.is_ready() else "it does not store an object"))
        for name, unready in waits:
            self._wait(name, unready, SERVERS_READY_SECONDS)

    def _start_services(self) -> None:
        plan = self.plan
        if plan.settings.webhook_secret is None:
            self.environment["OVSEG_WEBHOOK_SECRET"] = data_dir.kept(self.secret_path, webhook_secret.new)
        if plan.settings.webhook_signing_key is None:
            path = plan.folder / "webhook-signing-key.json"
            self.environment["OVSEG_WEBHOOK_SIGNING_KEY"] = data_dir.kept(path, webhook_signing_key.new)
        if plan.settings.image_headers_secret is None:
            path = plan.folder / "image-headers-secret.json"
            self.environment["OVSEG_IMAGE_HEADERS_SECRET"] = data_dir.kept(path, secrets.token_urlsafe)
        self.environment |= {"OVSEG_GATEWAY_HOST": plan.host, "OVSEG_GATEWAY_PORT": str(plan.port)}
        for label, arguments in (
            ("worker", ["worker", "--device", plan.device]),  # the slowest to start
            ("gateway", ["gateway"]),
            ("webhooks", ["webhooks"]),
            ("reaper", ["reaper"]),
        ):
            # -P: never import `ovseg` from the current folder
            command = Command(label, [sys.executable, "-P", "-m", "ovseg", *arguments], self.environment)
            self._services.append(Child(command, self._show))
        self._wait("the service", lambda: _unready(plan.url), SERVICE_READY_SECONDS)

    def _has_lost_valkey(self) -> bool:
        """True if there are objects but no jobs: Valkey's folder was lost or removed."""
        return (self.plan.folder / "seaweedfs" / "data").exists() and not (
            self.plan.folder / "valkey" / "appendonlydir"
        ).exists()

    def _recover(self) -> None:
        command = [sys.executable, "-P", "-m", "ovseg", "recover"]
        ran = subprocess.run(command, env={**os.environ, **self.environment}, capture_output=True, text=True)
        for line in (ran.stdout + ran.stderr).splitlines():
            self._show("recover", line)
        if ran.returncode:
            raise StartFailed("the jobs that Valkey lost could not be recovered; the lines above say why")

    @property
    def secret_path(self) -> Path:
        return self.plan.folder / "webhook-secret.json"

    def _wait_for_port(self) -> None:
        """Wait until the port is free: a stack that was just killed may hold it a moment longer."""
        deadline = time.monotonic() + 3
        where = f"port {self.plan.port} on {self.plan.host}"
        while error := _error_of_listening(self.plan.host, self.plan.port):
            if error.errno != errno.EADDRINUSE:
                raise StartFailed(f"cannot listen on {where}: {error.strerror}")
            if time.monotonic() > deadline:
                raise StartFailed(f"{where} is in use; choose another with --port")
            time.sleep(0.1)

    def _wait(self, name: str, unready: Callable[[], str], seconds: float) -> None:
        start = time.monotonic()
        while reason := unready():
            self.look_after()
            for label, child in self.children.items():
                if child.falls >= FALLS_AT_START:
                    raise StartFailed(f"{label} does not start; its lines above say why")
            if time.monotonic() - start > seconds:
                raise StartFailed(f"{name} was not ready after {seconds:g} s: {reason}")
            time.sleep(0.05)
        self._show("ovseg", f"{name} is ready after {time.monotonic() - start:.1f} s")


@contextmanager
def running(plan: Plan, show: Show, is_stopping: Callable[[], bool] = lambda: False) -> Iterator[Stack]:
    """Run a stack while the block runs. Raises StartFailed, or InUse if another stack uses the folder."""
    with data_dir.locked(plan.folder):
        stack = Stack(plan, show, is_stopping)
        try:
            stack.start()
            yield stack
        except KeyboardInterrupt:
            show("ovseg", "stopping: running jobs are finished, the others stay in the queue")
            raise
        except DoorOpen as error:
            raise StartFailed(f"{error}; other users of this machine could read and change every job") from None
        finally:
            stack.stop()


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that no process listens on now. Raises OSError, with the host, if it is not an address of ours."""
    with _socket_for(host) as probe:
        try:
            probe.bind((host, 0))
        except OSError as error:
            raise OSError(error.errno, f"cannot listen: {error.strerror}", host) from None
        return int(probe.getsockname()[1])


def _error_of_listening(host: str, port: int) -> OSError | None:
    with _socket_for(host) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


def _socket_for(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)


def _unready(url: str) -> str:
    """Return what the service still waits for, or an empty string if it is ready."""
    try:
        answer = requests.get(f"{url}/readyz?workers=1", timeout=3)
    except requests.RequestException:
        return "the gateway does not answer"
    if answer.status_code == 200:
        return ""
    return "; ".join(f"{name}: {outcome}" for name, outcome in answer.json()["checks"].items() if outcome != "ok")
