"""The callers of a run: two tenants with two API keys each. In mid-run each tenant loses one of its keys."""

from __future__ import annotations

import threading

from redis import RedisError

from tests.chaos.order import TENANTS
from tests.chaos.stack import Stack
from worker.access.api_key import KeyText
from worker.access.keys import Keys
from worker.access.scope import ORDINARY
from worker.access.tenants import Tenants
from worker.store import clock
from worker.store.keyspace import Keyspace


class Callers:
    """The keys with which jobs are submitted and read. Thread-safe."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._lock = threading.Lock()
        with Keyspace.open(stack.settings) as keyspace:
            keys = Keys(keyspace)
            self._keys = {name: [keys.create("", ORDINARY, tenant=name) for _ in range(2)] for name in TENANTS}
            found = Tenants(keyspace, stack.settings)
            self.acme_secret = found.webhook_secrets("acme", clock.moment(keyspace.now()))[0]

    def key(self, tenant: str) -> KeyText:
        """Return the key that the tenant uses now."""
        with self._lock:
            return self._keys[tenant][0]

    def headers(self, tenant: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key(tenant)}"}

    def revoke(self) -> None:
        """Let each tenant use its second key from now on, and revoke the first one, whose jobs still run."""
        with self._lock:
            revoked = [keys.pop(0) for keys in self._keys.values()]
        for key in revoked:
            while not self._is_revoked(key):
                self._stack.pause(0.1)

    def _is_revoked(self, key: KeyText) -> bool:
        try:
            with Keyspace.open(self._stack.settings) as keyspace:
                return Keys(keyspace).revoke(key.id)
        except RedisError:  # Valkey was killed or frozen, as the run intends
            return False
