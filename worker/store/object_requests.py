"""Requests for objects, signed as boto3's client would sign them, in a third of its CPU time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError

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

    def signed(self, method: str, key: str, headers: Mapping[str, str], data: bytes) -> AWSRequest:
        """Return a request for an object. Raises NoCredentialsError."""
        request = AWSRequest(method, self.url(key), headers, data)
        self._auth().add_auth(request)
        return request

    def credentials(self) -> ReadOnlyCredentials:
        """Return the client's credentials of this moment. Raises NoCredentialsError."""
        credentials: ReadOnlyCredentials | None = self._auth().credentials
        if credentials is None:
            raise NoCredentialsError
        return credentials

    def url(self, key: str) -> str:
        """Return the URL of an object, without a signature."""
        return self._prefix + quote(key)

    @cached_property
    def host(self) -> str:
        """The host of all URLs, as a client sends it in `Host`."""
        host: str = self._auth().headers_to_sign(AWSRequest("GET", self._prefix))["host"]
        return host

    def _auth(self) -> Any:
        """Return botocore's signer of requests with the client's credentials of this moment."""
        return self._client._request_signer.get_auth_instance("s3", self._client.meta.region_name)

    @cached_property
    def _prefix(self) -> str:
        """The URL of an object without its key, as the client makes it."""
        url: str = self._client.generate_presigned_url("get_object", Params={"Bucket": self._bucket, "Key": "k"})
        return url.partition("?")[0].removesuffix("k")
