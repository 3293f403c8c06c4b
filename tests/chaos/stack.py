"""The real stack, one process for each member."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

from configs.settings import Settings
from ovseg.embedded import valkey
from ovseg.embedded.seaweedfs import BUCKET, Seaweedfs
from ovseg.stack import free_port
from tests.chaos import fault_proxy, hurry, journal, publishes
from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.member import Member
from tests.chaos.scale import Scale

READY_SECONDS = 120
SENDERS = 2


class Stack:
    """Members by name: valkey, seaweedfs, gateway, worker-1, ..., webhooks-1, ..., reaper-1, ...

    Members with an odd number reach Valkey and SeaweedFS through fault proxies.
    """

    def __init__(self, scale: Scale, folder: Path, environment: Mapping[str, str], cleanup: ExitStack) -> None:
        self.folder = folder
        self.journals = folder / "journals"
        self.journals.mkdir(parents=True)
        self.urls = [f"http://127.0.0.1:{free_port()}" for _ in range(scale.gateways)]
        self.members: dict[str, Member] = {}
        self._valkey_folder = folder / "valkey"
        self._weed = Seaweedfs(folder / "seaweedfs")
        self._given = environment
        cleanup.callback(self._end)
        self._start_servers()
        self.proxies = self._open_proxies(cleanup)
        self._start_services(scale)

    # Members

    @property
    def redis_url(self) -> str:
        """The address of Valkey, not of the proxy."""
        return valkey.url(self._valkey_folder)

    @property
    def url(self) -> str:
        """The URL of the first gateway."""
        return self.urls[0]

    @property
    def settings(self) -> Settings:
        """Settings to read Valkey and SeaweedFS without the proxies. boto3 finds `credentials` in the environment."""
        return Settings(redis_url=self.redis_url, s3_endpoint_url=self._weed.endpoint_url, s3_bucket=BUCKET)

    @property
    def credentials(self) -> dict[str, str]:
        return self._weed.credentials

    def of_role(self, role: str) -> list[Member]:
        return [member for name, member in self.members.items() if name.partition("-")[0] == role]

    def look_after(self) -> None:
        """Restart each member that exited. Call this often, in the thread that made the stack."""
        for member in self.members.values():
            member.look_after()

    def one_alive(self, role: str, dice: random.Random) -> Member:
        """Return a running member of a role; wait until there is one."""
        while not (alive := [member for member in self.of_role(role) if member.is_alive]):
            self.pause(0.05)
        return dice.choice(alive)

    def pause(self, seconds: float) -> None:
        """Sleep, and restart members that exited."""
        until = time.monotonic() + seconds
        while True:
            self.look_after()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.02))

    def wait_until(self, is_so: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not is_so():
            assert time.monotonic() < deadline, f"{what} is not ready; the logs are in {self.folder}"
            self.pause(0.1)

    # Start and stop

    def _start_servers(self) -> None:
        command = valkey.command(self._valkey_folder)
        self._add("valkey", [*command.arguments, *publishes.FLAGS], {})
        command = self._weed.command()
        self._add("seaweedfs", command.arguments, command.environment)
        self.wait_until(lambda: valkey.is_ready(self._valkey_folder), "Valkey")
        self.wait_until(self._weed.is_ready, "SeaweedFS")

    def _open_proxies(self, cleanup: ExitStack) -> dict[str, FaultProxy]:
        socket, port = str(valkey.socket_path(self._valkey_folder)), self._weed.ports["s3"]
        to_valkey = fault_proxy.proxy(lambda: asyncio.open_unix_connection(socket))
        to_s3 = fault_proxy.proxy(lambda: asyncio.open_connection("127.0.0.1", port))
        return {"valkey": cleanup.enter_context(to_valkey), "seaweedfs": cleanup.enter_context(to_s3)}

    def _start_services(self, scale: Scale) -> None:
        roles = [
            ("gateway", scale.gateways),
            ("worker", scale.workers),
            ("webhooks", SENDERS),
            ("reaper", scale.reapers),
        ]
        for role, count in roles:
            for i in range(1, count + 1):
                arguments = [sys.executable, "-P", "-m", "tests.chaos.process", role]
                self._add(f"{role}-{i}", arguments, self._environment(i))
        self.wait_until(lambda: all(is_ready(url) for url in self.urls), "the service")

    def _environment(self, i: int) -> dict[str, str]:
        """Return the environment of the i-th member of a role."""
        redis_url, s3_url = self.redis_url, self._weed.endpoint_url
        if i % 2 == 1:
            redis_url = f"redis://127.0.0.1:{self.proxies['valkey'].port}/0"
            s3_url = f"http://127.0.0.1:{self.proxies['seaweedfs'].port}"
        return {
            **hurry.SETTINGS,
            **self._weed.credentials,
            journal.FOLDER: str(self.journals),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "OVSEG_GATEWAY_PORT": self.urls[(i - 1) % len(self.urls)].rpartition(":")[2],
            "OVSEG_REDIS_URL": redis_url,
            "OVSEG_S3_BUCKET": BUCKET,
            "OVSEG_S3_ENDPOINT_URL": s3_url,
            **self._given,
        }

    def _add(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.members[name] = Member(name, arguments, environment, self.folder / f"{name}.log")

    def _end(self) -> None:
        for member in reversed(self.members.values()):
            member.end()
        self._weed.remove_sockets()


@contextmanager
def running(scale: Scale, folder: Path, environment: Mapping[str, str]) -> Iterator[Stack]:
    """Run a stack while the block runs. It is ready at the start; its services also get these settings."""
    with ExitStack() as cleanup:
        yield Stack(scale, folder, environment, cleanup)


def is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz?workers=1", timeout=5).status_code == 200
    except requests.RequestException:
        return False
