"""Settings: which hosts clients may name, and how webhooks are sent."""

from __future__ import annotations

from pydantic import BaseModel, Field, field_validator

from configs import webhook_secret as secrets
from configs import webhook_signing_key as signing_keys
from configs.host_list import TrustedHosts


class Outbound(BaseModel):
    allowed_private_hosts: TrustedHosts = Field(
        default=(),
        description="Hosts, separated by commas, that image and webhook URLs may name although they are private, use "
        "another port than 80 or 443, or, for webhooks, no https: `minio`, `10.0.0.5`, `::1`; `.internal.example` "
        "for every host below it; `10.0.0.0/8` for a network, also if a name resolves into it. Each may end with a "
        "port: `minio:9000`, `[::1]:9000`. Empty: no such host is allowed.",
    )
    fetch_timeout_seconds: float = Field(
        default=20.0,
        gt=0,
        description="Longest time to fetch an image by URL, in seconds (> 0), from resolving its host to the last "
        "byte, including redirects.",
    )
    presigned_url_seconds: int = Field(
        default=3600,
        ge=60,
        le=604_800,
        description="How long the presigned URLs in a job object are valid at least, in seconds (60 to 604,800, S3's "
        "maximum). A GET of the job returns new ones; the URLs of the same quarter of an hour are equal.",
    )
    webhook_secret: str | None = Field(
        default=None,
        repr=False,
        description="Secret that signs webhooks: whsec_ and 24 to 64 random bytes in base64; `ovseg webhook-secret` "
        "prints a new one. It signs for the tenant `default`; other tenants have secrets of their own. Unset: jobs "
        "with a webhook are refused, because an unsigned webhook cannot be trusted.",
    )
    webhook_signing_key: str | None = Field(
        default=None,
        repr=False,
        description="Private key (ed25519) that also signs webhooks, so that a receiver needs only a public key. "
        "whsk_ and 32 random bytes in base64; `ovseg webhook-signing-key` prints a new one. The same for gateways and "
        "senders. Several keys, separated by commas, all sign: to rotate, put a new key before the old one, and remove "
        "the old one later. The keys of tenants other than `default` are computed from it. Unset: webhooks have no "
        "such signature.",
    )
    image_headers_secret: str | None = Field(
        default=None,
        min_length=32,
        repr=False,
        description="Secret that encrypts, in the records of jobs, the headers with which images are fetched, and in "
        "the records of webhook endpoints their headers: at least 32 characters, for example from `openssl rand "
        "-base64 32`; the same for gateways, workers and webhook senders. Unset: requests with such headers are "
        "refused. If it changes, jobs with headers that have not ended fail, and webhooks to endpoints with headers "
        "fail until the headers are set again.",
    )
    webhook_threads: int = Field(
        default=32,
        gt=0,
        description="Number of webhooks that one sender delivers at the same time (> 0). Its threads wait for "
        "receivers and cost little.",
    )
    webhook_threads_per_host: int = Field(
        default=4,
        gt=0,
        description="Number of webhooks that all senders together deliver to one host at a time (> 0). A receiver that "
        "hangs blocks this many threads until its first time-out, and one after that. It should be less than "
        "`webhook_threads`, to leave threads for the other receivers.",
    )
    webhook_old_secret_seconds: float = Field(
        default=24 * 3600.0,
        ge=0,
        description="How long the old secret of an endpoint also signs after a rotation, in seconds (0 or more). A day "
        "is time to give the new secret to every receiver. 0: not at all.",
    )
    max_webhook_endpoints: int = Field(
        default=20,
        gt=0,
        description="Maximum number of webhook endpoints of each tenant (> 0). Each adds one event to write and to "
        "deliver for every change of every job.",
    )
    webhook_timeout_seconds: float = Field(
        default=15.0,
        gt=0,
        description="Longest time of one attempt to deliver a webhook, in seconds (> 0), from resolving the receiver's "
        "host to the last byte of its answer.",
    )

    @field_validator("webhook_secret")
    @classmethod
    def _check_secret(cls, value: str | None) -> str | None:
        if value is not None:
            secrets.key_of(value)
        return value

    @field_validator("webhook_signing_key")
    @classmethod
    def _check_signing_key(cls, value: str | None) -> str | None:
        if value is not None:
            signing_keys.seeds_of(value)
        return value
