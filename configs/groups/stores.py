"""Settings: where Redis and the S3 server are, and how much of Redis is used."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from configs import certificate_files, s3_names
from configs.http_address import HttpAddress
from configs.redis_address import RedisUrl
from configs.s3_sources import S3Sources, Source


class Stores(BaseModel):
    redis_url: RedisUrl = Field(
        default="redis://127.0.0.1:6379/0",
        repr=False,  # it may hold a password
        description="URL of Redis or Valkey: redis://, rediss:// (TLS; the server's certificate and host name are "
        "verified) or unix:///path?db=0. It holds jobs and queues, so run it with appendonly yes and maxmemory-policy "
        "noeviction.",
    )
    redis_ca_file: Path | None = Field(
        default=None,
        description="File with certificates (PEM) of authorities that may sign Redis's certificate, in addition to "
        "those that the system trusts.",
    )
    redis_key_file: Path | None = Field(
        default=None,
        description="File with the key (PEM, not encrypted) of OVSEG_REDIS_CERT_FILE, if the key is not in that file.",
    )
    redis_cert_file: Path | None = Field(
        default=None,
        validate_default=True,  # to report a key without a certificate
        description="File with our own certificate (PEM), for a Redis that demands one from its clients.",
    )
    redis_prefix: str = Field(
        default="ovseg:", description="Prefix of every Redis key, so that others can share the server."
    )
    valkey_megabytes: int = Field(
        default=2000,
        ge=16,
        description="Memory of the Valkey that `ovseg up` starts, in megabytes (16 or more). Submissions are refused "
        "while nine tenths of it are in use. 64 images of the largest size that wait for their upload to storage take "
        "1,300 MB.",
    )
    ephemeral_megabytes: int = Field(
        default=200,
        ge=1,
        description="Memory of Redis for the images of ephemeral jobs that have not ended, in megabytes; as much again "
        "for the results of those that ended within the last minute. Further images are refused with `queue_full`; the "
        "oldest results make room for new ones. If there are several tenants, the images of each may take half.",
    )
    kept_results_megabytes: int = Field(
        default=16,
        ge=0,
        description="Memory of Redis for small results (up to 64 kB each), in megabytes; 0: none. They are in storage, "
        "too. Redis keeps them for a minute, so that a client that waits for its result causes no request to storage.",
    )
    s3_endpoint_url: HttpAddress | None = Field(
        default=None, description="URL of the S3 server: SeaweedFS, MinIO, Ceph, R2. Unset: Amazon S3."
    )
    s3_public_endpoint_url: HttpAddress | None = Field(
        default=None,
        description="URL by which clients reach the S3 server, if it differs from OVSEG_S3_ENDPOINT_URL. A presigned "
        "URL is valid only for the host that it names.",
    )
    s3_bucket: s3_names.Bucket = Field(default="ovseg", description="Bucket for inputs and results. It must exist.")
    s3_region: s3_names.Region | None = Field(
        default=None,
        description="Region that requests to S3 are signed for. Unset: the region in AWS_REGION, "
        "AWS_DEFAULT_REGION or the profile in ~/.aws/config, in this order, and us-east-1 without any.",
    )

    s3_sources: S3Sources = Field(
        default=(),
        description="Buckets, separated by commas, whose objects requests may name as images, such as "
        "`photos,scans/2026@acme`: a bucket, perhaps with a prefix of the keys, and after @ the tenant that may read "
        "it (`*`: every tenant; without @ only `default`). Workers read them, with the same server and credentials as "
        "OVSEG_S3_BUCKET, which cannot be listed. Gateways and workers need the same list. Empty: none.",
    )

    @field_validator("redis_ca_file")
    @classmethod
    def _check_authorities(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None:
            _require_tls(info)
            certificate_files.check_authorities(value)
        return value

    @field_validator("s3_sources")
    @classmethod
    def _check_sources(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if any(Source.parse(entry).bucket == info.data.get("s3_bucket") for entry in value):
            raise ValueError("OVSEG_S3_BUCKET cannot be a source: it has the files of all tenants")
        return value

    @field_validator("redis_cert_file")
    @classmethod
    def _check_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        key = info.data.get("redis_key_file")
        if value is not None:
            _require_tls(info)
            certificate_files.check_pair(value, key)
        elif key is not None:
            raise ValueError("it is not set, but OVSEG_REDIS_KEY_FILE is")
        return value


def _require_tls(info: ValidationInfo) -> None:
    url = info.data.get("redis_url")  # None if the URL is wrong, which is reported already
    if url is not None and not url.startswith("rediss:"):
        raise ValueError("it works only with rediss://, and OVSEG_REDIS_URL is a server without TLS")
