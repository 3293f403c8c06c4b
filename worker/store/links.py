"""Signed links to objects in storage. Those for GET are the same for a while: the answers with them repeat, too."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from botocore.auth import AUTH_TYPE_MAPS, SIGV4_TIMESTAMP, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from worker.store.link_signer import LinkSigner
from worker.store.object_requests import ObjectRequests

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# All links that are signed within this time are equal. A quarter of an hour is longer than a client that polls waits
# between two requests, and short against the hour for which a link works.
STEP_SECONDS = 900
MAX_SECONDS = 604_800  # the longest time for which S3 accepts a link
# A link takes a kilobyte to keep. A client that polls a job with 1,000 masks gets all of them each time.
REMEMBERED = 4096
ROUNDED = "ovseg-rounded-query"  # botocore requires this ending
SIGNED_AT = "ovseg_signed_at"


class _RoundedAuth(S3SigV4QueryAuth):
    """botocore's signature for links, with a time that the request's context has."""

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        request.context["timestamp"] = request.context[SIGNED_AT].strftime(SIGV4_TIMESTAMP)
        super()._modify_request_before_signing(request)  # type: ignore[misc]  # botocore's types list no private methods


AUTH_TYPE_MAPS[ROUNDED] = _RoundedAuth


class Links:
    """Signs links for GET and PUT. Thread-safe.

    Args:
        client: its endpoint is the host of the links: a signature is valid for one host only.
        bucket: the bucket of the objects.
        seconds: for how long a link works at least. It works for up to one step longer, but not for more than S3's
            maximum.
    """

    def __init__(self, client: S3Client, bucket: str, seconds: int) -> None:
        self._client = client
        self._bucket = bucket
        self._step = min(STEP_SECONDS, max(seconds // 4, 1))
        self._seconds = min(seconds + self._step, MAX_SECONDS)
        self._signed = lru_cache(REMEMBERED)(self._sign)
        self._signer = lru_cache(2)(self._signer_of)
        self._requests = ObjectRequests(client, bucket)
        choose: Any = self._choose_signer  # botocore's types forbid that it returns the name of a signature
        client.meta.events.register_first("choose-signer.s3.GetObject", choose)

    def sign(self, key: str) -> str:
        """Return a URL that gets this object without credentials. Sends no request."""
        return self._signed(key, self.signed_at())

    def sign_put(self, key: str, content_type: str, size: int, seconds: int) -> str:
        """Return a URL that stores this object without credentials, for so many seconds. Sends no request.

        The client must send `Content-Type`, `Content-Length` and `If-None-Match: *` as they are signed here. With the
        last one, storage refuses to replace an object that exists.
        """
        signed = {"ContentType": content_type, "ContentLength": size, "IfNoneMatch": "*"}
        return self._client.generate_presigned_url(
            "put_object", Params={"Bucket": self._bucket, "Key": key, **signed}, ExpiresIn=seconds
        )

    def _sign(self, key: str, signed_at: datetime) -> str:
        if self._requests.are_possible:
            return self._signer(self._requests.credentials(), signed_at).sign(self._requests.url(key))
        return self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=self._seconds
        )

    def _signer_of(self, credentials: ReadOnlyCredentials, signed_at: datetime) -> LinkSigner:
        region = self._client.meta.region_name
        return LinkSigner(credentials, region, self._requests.host, signed_at, self._seconds)

    def signed_at(self) -> datetime:
        """Return the time from which the links of this moment count. Links with the same time are equal."""
        return datetime.fromtimestamp(time.time() // self._step * self._step, UTC)

    def _choose_signer(self, signature_version: str, context: dict[str, Any], **_: object) -> str | None:
        if signature_version != "s3v4-query":  # the signature of a request
            return None
        context[SIGNED_AT] = self.signed_at()
        return ROUNDED
