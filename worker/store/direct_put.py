"""Stores objects with little more than half of the CPU time that boto3 takes: 0.6 ms instead of 1.0 ms for 2 kB."""

from __future__ import annotations

from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.awsrequest import AWSRequest
from botocore.exceptions import HTTPClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class DirectPut:
    """Sends PUT requests with the signature and the connections of a boto3 client, but without the client. Thread-safe.

    The client would resolve the endpoint, call its handlers and parse the answer for each request. It is still needed
    for a request that fails: it retries it, follows redirects, and has an exception for each error.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client: Any = client  # its types list neither its connections nor its signer
        self._bucket = bucket
        # Requests for ARNs and for directory buckets are signed in other ways.
        self._is_possible = ":" not in bucket and not bucket.endswith("--x-s3")

    def put(self, key: str, data: bytes, content_type: str) -> bool:
        """Return True if the object is stored, False if the client should try it. Raises NoCredentialsError."""
        if not self._is_possible:
            return False
        request = AWSRequest("PUT", self._prefix + quote(key), {"Content-Type": content_type}, data)
        self._client._request_signer.get_auth_instance("s3", self._client.meta.region_name).add_auth(request)
        try:
            answer = self._client._endpoint.http_session.send(request.prepare())
        except HTTPClientError:
            return False
        if HTTPStatus.MULTIPLE_CHOICES <= answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            self._is_possible = False  # for example the bucket is in another region, which the client finds out
        return bool(answer.status_code == HTTPStatus.OK)

    @cached_property
    def _prefix(self) -> str:
        """The URL of an object without its key, as the client makes it."""
        url: str = self._client.generate_presigned_url("put_object", Params={"Bucket": self._bucket, "Key": "k"})
        return url.partition("?")[0].removesuffix("k")
