"""OpenAI's route for chats: a message with a text and an image becomes a job, and its result the answer.

No language model reads the text: `ovseg_core.vl.instruction` describes what a text can ask for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue

from gateway import (
    auth,
    body,
    chat_completion,
    event_stream,
    handover,
    job_codes,
    job_end,
    job_examples,
    operation,
    problem,
    submission,
)
from gateway.answers.chat import ChatCompletion, ChatProblem
from gateway.caller import caller
from gateway.chat_completion import Completion
from gateway.chat_fields import ChatFields
from gateway.operation import Answer, Header, Operation
from gateway.services import services
from ovseg_core.errors import OvsegError
from ovseg_core.vl import messages
from ovseg_core.vl.instruction import Instruction
from ovseg_core.vl.messages import Question
from worker.access.scope import Scope
from worker.job import acceptance, description, parsing, result_document
from worker.job.record import Job
from worker.job.request import JobRequest
from worker.job.validation import InvalidRequest, validated
from worker.store import tenant

blueprint = Blueprint("chat", __name__)

# OpenAI's clients send a request again after 409 and 5xx. Here that would make a second job.
NO_RETRY = Header("X-Should-Retry", "`false` if the job was accepted, so that OpenAI's clients do not send it again.")
AFTER_ACCEPTANCE = ("canceled", "timeout")
ERROR_TYPES = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}


@blueprint.post("/v1/chat/completions")
@auth.needs(Scope.JOBS_WRITE)
@operation.describes(
    Operation(
        "Ask for objects in a chat, as OpenAI's clients do",
        {
            200: Answer(
                "The job has succeeded. With `stream` an event stream, in which an error may follow.",
                ChatCompletion,
                (event_stream.NO_BUFFER,),
                (event_stream.MEDIA_TYPE,),
            )
        },
        (*job_codes.OF_JOB, *job_end.CODES),
        ChatFields,
        job_examples.CHATS,
        problem=ChatProblem,
        problem_media_type="application/json",
        problem_headers=(NO_RETRY,),
    )
)
def complete() -> ResponseReturnValue:
    """Make a job of the last message of the user, wait for its end, and answer with its objects.

    The text has phrases, boxes and points, or asks for everything. With `stream` the answer is an event stream, whose
    chunks come when the job has ended; a comment every 10 seconds shows before that the service is at work.
    """
    fields = validated(ChatFields, body.read_json())
    question = messages.read(fields.messages)
    form, message = fields.form, question.field  # a held answer keeps neither the request nor its image in memory
    job_id = caller().owned(acceptance.new_id())

    def answer(ended: Job | None) -> Response:
        with _naming_fields_of_the_chat(message):
            job = job_end.succeeded(tenant.shown(job_id), ended)
        storage = services().storage
        found = Completion(job, result_document.read_result(job, storage), description.files(job, storage), form)
        return event_stream.response(found.events()) if form.is_stream else jsonify(found.whole())

    seconds = services().settings.chat_timeout_seconds
    head = event_stream.response() if form.is_stream else None
    with services().waiting.expecting(job_id):
        with _naming_fields_of_the_chat(message):
            job, _ = submission.accept(job_id, *_request(fields, question), None)
        return services().waiting.answer(job_id, seconds, answer, may_be_early=False, job=job, head=head)


@blueprint.after_request
def in_envelope(response: Response) -> Response:
    """Rewrite an error, which the application answers as a problem object, in OpenAI's envelope.

    If the client has the beginning of an event stream already, the error becomes its last event.
    """
    if response.mimetype == problem.MEDIA_TYPE:
        found = response.get_json()
        status = HTTPStatus(response.status_code)
        of_others = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
        error = {
            "message": found["detail"],
            "type": ERROR_TYPES.get(status, of_others),
            "param": found["errors"][0]["field"] if "errors" in found else None,
            "code": found["code"],
        }
        response.data, response.mimetype = json.dumps({"error": error}), "application/json"
        if found["code"] in AFTER_ACCEPTANCE:
            response.headers[NO_RETRY.name] = "false"
        if handover.has_begun():
            response.data, response.mimetype = chat_completion.event({"error": error}), event_stream.MEDIA_TYPE
    return response


def _request(fields: ChatFields, question: Question) -> tuple[JobRequest, bytes | None]:
    """Return the job that a chat asks for."""
    try:
        instruction = Instruction.of(question.text, question.prompts)
    except OvsegError as error:
        raise error.at(question.field) from None
    job = fields.job(question, "everything" if instruction.is_everything else list(instruction.prompts))
    masks_of = partial(services().earlier_masks.of, caller().tenant)
    return parsing.parse(job, None, services().settings, masks_of, submission.sent_images())


@contextmanager
def _naming_fields_of_the_chat(message: str) -> Iterator[None]:
    """Replace the fields of a job in errors by those of the chat. `message` is the field of the message."""
    try:
        yield
    except InvalidRequest as error:
        raise InvalidRequest([_of_chat(each, message) for each in error.errors], error.count) from None
    except OvsegError as error:
        raise _of_chat(error, message) from None


def _of_chat(error: OvsegError, message: str) -> OvsegError:
    """Return an error about a field of the job with the field of the chat: the message, for the image and prompts."""
    field = error.field
    if field is None or field == "model" or field.startswith(("messages", "ovseg")):
        return error
    return error.at(message if field.startswith(("image", "prompts")) else f"ovseg.{field}")
