"""The answer with the public keys of webhooks, which `gateway.webhook_keys` makes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict


class WebhookKey(TypedDict):
    """A public key as a JSON Web Key (RFC 7517, RFC 8037)."""

    crv: Literal["Ed25519"]
    kty: Literal["OKP"]
    x: Annotated[str, Field(description="the 32 bytes of the key in base64url")]
    kid: Annotated[str, Field(description="the key's thumbprint (RFC 7638)")]
    use: Literal["sig"]
    alg: Literal["EdDSA"]
    whpk: Annotated[str, Field(description="the key as Standard Webhooks writes it: `whpk_` and base64")]


class WebhookKeys(TypedDict):
    """A JSON Web Key Set: every key that signs now, newest first."""

    keys: list[WebhookKey]
