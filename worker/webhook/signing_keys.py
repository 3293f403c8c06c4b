"""The ed25519 keys that sign the webhooks of a tenant, and their public halves.

Each tenant has keys of its own. With one key for the whole service, a tenant could register the receiver of another
tenant as its endpoint, and that receiver would accept the signatures. The keys of `default` are those of the setting
`webhook_signing_key`; those of another tenant are computed from them (HKDF) and its name. So they are the same in every
process, are stored nowhere, and an operator rotates the keys of all tenants together.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from configs import webhook_signing_key
from configs.settings import Settings
from worker.store.tenant import DEFAULT

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# cryptography is imported where it is used: it takes 10 MB, and many services have no such key.

PUBLIC_PREFIX = "whpk_"
REMEMBERED = 1024  # keys; to compute one takes a tenth of a millisecond


@dataclass(frozen=True)
class SigningKey:
    """A private key and its public half, 32 bytes."""

    private: Ed25519PrivateKey
    public: bytes

    @property
    def shown(self) -> str:
        """The public key in the format of Standard Webhooks: `whpk_` and base64."""
        return PUBLIC_PREFIX + base64.b64encode(self.public).decode("ascii")

    @property
    def jwk(self) -> dict[str, str]:
        """The public key as a JSON Web Key (RFC 8037). `kid` is its thumbprint (RFC 7638)."""
        members = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(self.public)}
        thumbprint = hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest()
        return {**members, "kid": _base64url(thumbprint), "use": "sig", "alg": "EdDSA", "whpk": self.shown}


def of_tenant(tenant: str, settings: Settings) -> tuple[SigningKey, ...]:
    """Return the keys that sign the webhooks of a tenant, newest first; none if no key is set."""
    if settings.webhook_signing_key is None:
        return ()
    return tuple(_derived(seed, tenant) for seed in webhook_signing_key.seeds_of(settings.webhook_signing_key))


@lru_cache(REMEMBERED)
def _derived(seed: bytes, tenant: str) -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    if tenant != DEFAULT:
        about = f"ovseg webhook signing key of tenant {tenant}".encode()
        seed = HKDF(SHA256(), webhook_signing_key.SEED_BYTES, salt=None, info=about).derive(seed)
    private = Ed25519PrivateKey.from_private_bytes(seed)
    return SigningKey(private, private.public_key().public_bytes_raw())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
