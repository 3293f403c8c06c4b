"""Requests for objects, signed as boto3's client would sign them, in a third of its CPU time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.awsrequest import AWSRequest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class ObjectRequests:
    """Makes requests for the objects of a bucket with the credentials of a client. Thread-safe.

    The client would resolve the endpoint and call its handlers for each request. `are_possible` is False for buckets
    whose requests are signed in another way: those named by an ARN, and directory buckets.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client: Any = client  # its types do not list its signer
        self._bucket = bucket
        self.are_possible = ":" not in bucket and not bucket.endswith("--x-s3")

    def signed(
        self,
        method: str,
        key: str,
        headers: Mapping[str, str] | None = None,
        data: bytes = b"",
        context: Mapping[str, object] | None = None,
        **signature: Any,
    ) -> AWSRequest:
        """Return a request for an object. Raises NoCredentialsError.

        `context` is for the signature, which is botocore's for S3 unless `signature` names another, with its options.
        """
        request = AWSRequest(method, self._prefix + quote(key), headers, data)
        request.context.update(context or {})
        region = self._client.meta.region_name
        self._client._request_signer.get_auth_instance("s3", region, **signature).add_auth(request)
        return request

    @cached_property
    def _prefix(self) -> str:
        """The URL of an object without its key, as the client makes it."""
        url: str = self._client.generate_presigned_url("get_object", Params={"Bucket": self._bucket, "Key": "k"})
        return url.partition("?")[0].removesuffix("k")
