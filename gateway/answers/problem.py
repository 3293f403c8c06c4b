"""An error of the API: RFC 9457 problem details. `gateway.problem` and `gateway.errors` make them."""

from __future__ import annotations

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict


class FieldError(TypedDict):
    field: Annotated[str, Field(description="the part of the request that is wrong, such as `prompts[1].box`")]
    code: str
    message: str


class Problem(TypedDict):
    """What was wrong with a request (RFC 9457)."""

    type: Annotated[str, Field(description="`urn:ovseg:problem:` and the code; of `quota_exceeded` an IETF draft's")]
    title: str
    status: int
    detail: Annotated[str, Field(description="for people: what was wrong and what is allowed")]
    code: Annotated[str, Field(description="for programs; stable")]
    request_id: Annotated[str, Field(description="`X-Request-Id` of this answer")]
    violated: NotRequired[
        Annotated[list[str], Field(alias="violated-policies", description="names of policies, of `quota_exceeded`")]
    ]
    errors: NotRequired[Annotated[list[FieldError], Field(description="at most 100 fields that are wrong")]]
