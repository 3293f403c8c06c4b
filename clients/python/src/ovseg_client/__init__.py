"""The client of ovseg, a self-hosted service for promptable image segmentation.

from ovseg_client import Client

result = Client().segment("photo.jpg", boxes=[[140, 10, 305, 180]])
print(result.masks[0].score, result.masks[0].array.shape)
"""

from ovseg_client.batch import AsyncBatch, Batch, ItemResult
from ovseg_client.client import AsyncClient, Client
from ovseg_client.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    ImageUnreadable,
    InvalidRequest,
    JobFailed,
    NotFound,
    OvsegError,
    QuotaExceeded,
    RateLimited,
    Timeout,
    Unauthorized,
    Unavailable,
    Unreachable,
    WebhookInvalid,
)
from ovseg_client.event import Event
from ovseg_client.job import AsyncJob, Job
from ovseg_client.mapping import Item, Outcome
from ovseg_client.result import Mask, Result
from ovseg_client.upload import AsyncUpload, Upload
from ovseg_client.webhook import verify_webhook

__all__ = [
    "ApiError",
    "AsyncBatch",
    "AsyncClient",
    "AsyncJob",
    "AsyncUpload",
    "Batch",
    "Client",
    "Conflict",
    "Event",
    "Forbidden",
    "Gone",
    "ImageUnreadable",
    "InvalidRequest",
    "Item",
    "ItemResult",
    "Job",
    "JobFailed",
    "Mask",
    "NotFound",
    "Outcome",
    "OvsegError",
    "QuotaExceeded",
    "RateLimited",
    "Result",
    "Timeout",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "Upload",
    "WebhookInvalid",
    "verify_webhook",
]
