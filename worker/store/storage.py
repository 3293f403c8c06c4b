"""The bucket that holds inputs, results, embeddings and the archive."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import boto3
from botocore import handlers
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from configs.settings import Settings
from worker.store.direct_put import DirectPut
from worker.store.links import Links

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


PIECE_BYTES = 64 * 1024  # of an object that is streamed
DEFAULT_REGION = "us-east-1"  # what servers other than Amazon's expect


# The codes of S3 and of some other servers. A missing bucket is not among them: that is an outage.
MISSING = ("NoSuchKey", "NotFound", "404")
# A lifecycle rule has moved the object to an archive, for instance Glacier, where it cannot be read immediately.
ARCHIVED = "InvalidObjectState"
NO_BUCKET = "NoSuchBucket"
OUT_OF_RANGE = "InvalidRange"
CHANGED = "PreconditionFailed"  # the object has another ETag


class ObjectMissing(ClientError):
    """There is no object with this key (any more), or it cannot be read."""

    @property
    def is_archived(self) -> bool:
        return self.response["Error"]["Code"] == ARCHIVED

    @property
    def reason(self) -> str:
        """Return a code for programs: `removed_from_storage` or `archived_in_storage`."""
        return "archived_in_storage" if self.is_archived else "removed_from_storage"


class Denied(ClientError):
    """The service's credentials may not read an object."""


@dataclass(frozen=True)
class Patience:
    """How long a call waits for a connection and for an answer, and how many times it is tried."""

    connect_seconds: float
    read_seconds: float
    tries: int


PATIENT = Patience(3, 30, 3)
# For calls that a client waits for: it should get an error within three seconds if storage is unreachable.
IMPATIENT = Patience(1, 1.8, 1)
# For what a gateway does in the background. A busy storage server takes some seconds for several images of 20 MB at a
# time.
UNHURRIED = Patience(1, 20, 1)


@dataclass(frozen=True)
class Head:
    """What storage knows about an object. The `etag`, in double quotes, changes with the content."""

    size: int
    content_type: str
    etag: str


@dataclass(frozen=True)
class Beginning:
    """The first bytes of an object."""

    head: Head
    data: bytes


class Storage:
    """Bytes by key, in S3 or in a server with the same API. Thread-safe.

    The methods raise botocore's errors (BotoCoreError, ClientError), which are not the client's fault and are retried.
    The constructor raises ValueError for settings that cannot work: a region or a profile that does not exist.
    """

    def __init__(self, settings: Settings, patience: Patience = PATIENT) -> None:
        self._bucket = settings.s3_bucket
        self._client = _open(settings, settings.s3_endpoint_url, patience)
        # A client that tries only once is for callers who cannot wait for a second try.
        self._direct = DirectPut(self._client, self._bucket) if patience.tries > 1 else None
        public = settings.s3_public_endpoint_url  # the address that clients use
        signer = _open(settings, public, patience) if public else self._client
        self.links = Links(signer, self._bucket, settings.presigned_url_seconds)

    def put(self, key: str, data: bytes, content_type: str) -> None:
        if self._direct is None or not self._direct.put(key, data, content_type):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=content_type)

    def get(self, key: str) -> bytes:
        """Return the bytes of an object. Raises ObjectMissing."""
        try:
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] not in (*MISSING, ARCHIVED):
                raise
            raise ObjectMissing(error.response, "GetObject") from None

    def begin(self, key: str, count: int) -> Beginning:
        """Return the first `count` bytes of an object, or all if it has fewer. Raises ObjectMissing."""
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=key, Range=f"bytes=0-{count - 1}")
        except ClientError as error:
            if error.response["Error"]["Code"] == OUT_OF_RANGE and (head := self.head(key)) is not None:
                return Beginning(head, b"")  # an empty object has no range
            if error.response["Error"]["Code"] not in (*MISSING, ARCHIVED, OUT_OF_RANGE):
                raise
            raise ObjectMissing(error.response, "GetObject") from None
        data, size = found["Body"].read(), int(found["ContentRange"].rpartition("/")[2])
        return Beginning(Head(size, found["ContentType"], found["ETag"]), data)

    def stream(self, key: str, etag: str, first: int, last: int) -> Iterator[bytes]:
        """Yield the bytes from `first` to `last` of an object, some at a time, as storage sends them.

        Raises ObjectMissing if there is no object with this ETag.
        """
        try:
            found = self._client.get_object(Bucket=self._bucket, Key=key, IfMatch=etag, Range=f"bytes={first}-{last}")
        except ClientError as error:
            if error.response["Error"]["Code"] not in (*MISSING, ARCHIVED, CHANGED):
                raise
            raise ObjectMissing(error.response, "GetObject") from None
        with closing(found["Body"]) as body:
            yield from body.iter_chunks(PIECE_BYTES)

    def read(self, bucket: str, key: str, max_bytes: int) -> bytes:
        """Return the first `max_bytes` bytes of an object in any bucket. Raises ObjectMissing, Denied."""
        try:
            found = self._client.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in (*MISSING, ARCHIVED, NO_BUCKET):
                raise ObjectMissing(error.response, "GetObject") from None
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.FORBIDDEN:
                raise Denied(error.response, "GetObject") from None
            raise
        with closing(found["Body"]) as body:
            return body.read(max_bytes)

    def delete_prefix(self, prefix: str) -> None:
        """Delete every object whose key begins with `prefix`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:  # a page has up to 1,000 keys, and one request may delete up to 1,000
            if "Contents" in page:
                self.delete([found["Key"] for found in page["Contents"]])

    def delete(self, keys: Sequence[str]) -> None:
        """Delete up to 1,000 objects; a key without an object is no error."""
        answer = self._client.delete_objects(
            Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
        )
        for error in answer.get("Errors", []):  # errors in an answer of status 200
            raise ClientError({"Error": {"Code": error["Code"], "Message": error["Key"]}}, "DeleteObjects")

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with `prefix`, in order."""
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            yield from (found["Key"] for found in page.get("Contents", []))

    def head(self, key: str) -> Head | None:
        """Return what storage knows about an object; None if there is none."""
        try:
            found = self._client.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
                return None
            raise
        return Head(found["ContentLength"], found["ContentType"], found["ETag"])

    def exists(self, key: str) -> bool:
        return self.head(key) is not None

    def copy(self, source: str, key: str, etag: str) -> None:
        """Copy an object within the bucket. Raises ObjectMissing if there is none with this ETag."""
        try:
            self._client.copy_object(
                Bucket=self._bucket, Key=key, CopySource={"Bucket": self._bucket, "Key": source}, CopySourceIfMatch=etag
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in (*MISSING, CHANGED):
                raise
            raise ObjectMissing(error.response, "CopyObject") from None

    def check(self) -> None:
        """Raise an error if the bucket is unreachable."""
        self._client.head_bucket(Bucket=self._bucket)


def _open(settings: Settings, endpoint_url: str | None, patience: Patience) -> S3Client:
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if endpoint_url else "auto"},
        # Since boto3 1.36 the default adds checksums that many S3 servers do not support.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"mode": "standard", "total_max_attempts": patience.tries},
        connect_timeout=patience.connect_seconds,
        read_timeout=patience.read_seconds,
        max_pool_connections=64,
        parameter_validation=False,  # our code passes valid ones; this takes 5 % of a request's CPU time
    )
    try:
        session = boto3.session.Session()
        client = session.client("s3", endpoint_url=endpoint_url, region_name=_region(settings, session), config=config)
    except BotoCoreError as error:  # nothing was sent yet: the profile or the region does not exist
        raise ValueError(f"object storage cannot be set up: {error}") from None
    # By default a PUT first asks the server for permission to send its body. That is another round trip, whose answer
    # botocore reads byte by byte: a sixth of the CPU time of a small PUT.
    client.meta.events.unregister("before-call.s3", handlers.add_expect_header)
    return client


def _region(settings: Settings, session: boto3.session.Session) -> str:
    """Return the region of the settings, or the one that Amazon's tools would use; boto3 alone ignores AWS_REGION."""
    named = settings.s3_region or os.environ.get("AWS_REGION")
    return named or os.environ.get("AWS_DEFAULT_REGION") or session.region_name or DEFAULT_REGION
