"""Stores objects with little more than half of the CPU time that boto3 takes: 0.6 ms instead of 1.0 ms for 2 kB."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.exceptions import HTTPClientError

from worker.store.object_requests import ObjectRequests

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class DirectPut:
    """Sends PUT requests through the connections of a boto3 client, but without the client. Thread-safe.

    The client is still needed for a request that fails: it retries it, follows redirects, and has an exception for each
    error.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client: Any = client  # its types do not list its connections
        self._requests = ObjectRequests(client, bucket)
        self._is_possible = self._requests.are_possible

    def put(self, key: str, data: bytes, content_type: str) -> bool:
        """Return True if the object is stored, False if the client should try it. Raises NoCredentialsError."""
        if not self._is_possible:
            return False
        request = self._requests.signed("PUT", key, {"Content-Type": content_type}, data)
        try:
            answer = self._client._endpoint.http_session.send(request.prepare())
        except HTTPClientError:
            return False
        if HTTPStatus.MULTIPLE_CHOICES <= answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            self._is_possible = False  # for example the bucket is in another region, which the client finds out
        return bool(answer.status_code == HTTPStatus.OK)
