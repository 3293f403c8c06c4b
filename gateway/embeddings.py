"""The route that encodes an image before its first prompt."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from gateway import auth, body, idempotency_key, job_codes, job_examples, operation, query, submission
from gateway.operation import Operation
from gateway.services import services
from gateway.text_fields import EmbeddingTexts
from gateway.wait_time import WaitQuery
from worker.access.scope import Scope
from worker.job import parsing

blueprint = Blueprint("embeddings", __name__, url_prefix="/v1/embeddings")


@blueprint.post("")
@auth.needs(Scope.JOBS_WRITE)
@body.takes(body.WITH_IMAGE)
@query.takes(WaitQuery)
@query.takes_with_image(EmbeddingTexts)
@operation.describes(
    Operation(
        "Encode an image before its first prompt",
        submission.ANSWERS,
        job_codes.OF_EMBEDDING,
        parsing.EmbeddingFields,
        job_examples.EMBEDDINGS,
        (idempotency_key.HEADER,),
    )
)
def submit() -> ResponseReturnValue:
    """Accept a job without prompts: once it has succeeded, every worker finds the image's embedding in the cache."""
    key = idempotency_key.of_request()
    fields, image_file = body.read()
    job_request, image = parsing.parse_embedding(fields, image_file, services().settings, submission.sent_images())
    return submission.submitted(job_request, image, key)
