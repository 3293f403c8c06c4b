"""The bucket that holds inputs and results."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from configs.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


DEFAULT_REGION = "us-east-1"  # what servers other than Amazon's expect


# As S3 says it, and as some others do. A bucket that is not there is an outage.
MISSING = ("NoSuchKey", "NotFound", "404")
# A lifecycle rule has moved the object to an archive, for instance Glacier, from which nobody reads at once.
ARCHIVED = "InvalidObjectState"


class ObjectMissing(ClientError):
    """There is no object of this key (any more), or none that can be read."""

    @property
    def is_archived(self) -> bool:
        return self.response["Error"]["Code"] == ARCHIVED

    @property
    def reason(self) -> str:
        """A word for programs: `removed_from_storage` or `archived_in_storage`."""
        return "archived_in_storage" if self.is_archived else "removed_from_storage"


@dataclass(frozen=True)
class Patience:
    """How long to wait for a connection, and for an answer, and how often to try."""

    connect_seconds: float
    read_seconds: float
    tries: int


PATIENT = Patience(3, 30, 3)
# For calls that a client waits for: it should learn within three seconds that storage is unreachable.
IMPATIENT = Patience(1, 1.8, 1)
# For what a gateway does in the background. Several images of 20 MB at once take a busy storage some seconds.
UNHURRIED = Patience(1, 20, 1)


class Storage:
    """Bytes by key, in S3 or what speaks like it. Thread-safe.

    Anything that goes wrong is raised as botocore raises it (BotoCoreError, ClientError): it is ours, and is retried.
    Only what cannot work, a region or profile that there is not, is a ValueError when the object is made.
    """

    def __init__(self, settings: Settings, patience: Patience = PATIENT) -> None:
        self._bucket = settings.s3_bucket
        self._url_seconds = settings.presigned_url_seconds
        self._client = _open(settings, settings.s3_endpoint_url, patience)
        public = settings.s3_public_endpoint_url
        # Signs for the address that clients know: a signature is bound to its host.
        self._signer = _open(settings, public, patience) if public else self._client

    def put(self, key: str, data: bytes, content_type: str) -> None:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=content_type)

    def get(self, key: str) -> bytes:
        """Raises ObjectMissing."""
        try:
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] not in (*MISSING, ARCHIVED):
                raise
            raise ObjectMissing(error.response, "GetObject") from None

    def delete_prefix(self, prefix: str) -> None:
        """Delete every object whose key begins with `prefix`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:  # of 1,000 keys, as many as one request may delete
            if "Contents" in page:
                self.delete([found["Key"] for found in page["Contents"]])

    def delete(self, keys: Sequence[str]) -> None:
        """Delete up to 1,000 objects; keys without an object are no error."""
        answer = self._client.delete_objects(
            Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
        )
        for error in answer.get("Errors", []):  # reported in an answer of 200
            raise ClientError({"Error": {"Code": error["Code"], "Message": error["Key"]}}, "DeleteObjects")

    def list(self, prefix: str) -> Iterator[str]:
        """The keys that begin so, in order."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            yield from (found["Key"] for found in page.get("Contents", []))

    def exists(self, key: str) -> bool:
        try:
            self._client.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True

    def sign(self, key: str) -> str:
        """A URL that gets this object, for as long as the settings say, without credentials. Computed here."""
        return self._signer.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": key},
            ExpiresIn=self._url_seconds,
        )

    def check(self) -> None:
        """Raises if the bucket cannot be reached."""
        self._client.head_bucket(Bucket=self._bucket)


def _open(settings: Settings, endpoint_url: str | None, patience: Patience) -> S3Client:
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if endpoint_url else "auto"},
        # since boto3 1.36 the default adds checksums that many S3 servers do not understand
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"mode": "standard", "total_max_attempts": patience.tries},
        connect_timeout=patience.connect_seconds,
        read_timeout=patience.read_seconds,
        max_pool_connections=64,
    )
    try:
        session = boto3.session.Session()
        return session.client("s3", endpoint_url=endpoint_url, region_name=_region(settings, session), config=config)
    except BotoCoreError as error:  # nothing was sent yet: a profile or a region that there is not
        raise ValueError(f"object storage cannot be set up: {error}") from None


def _region(settings: Settings, session: boto3.session.Session) -> str:
    """Of the settings, else as Amazon's own tools find it; boto3 alone does not look at AWS_REGION."""
    named = settings.s3_region or os.environ.get("AWS_REGION")
    return named or os.environ.get("AWS_DEFAULT_REGION") or session.region_name or DEFAULT_REGION
