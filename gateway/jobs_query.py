"""The query parameters of the list of jobs."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, model_validator

from gateway import query
from gateway.paging import PageQuery
from worker.job.job_filter import JobFilter, values_by_key

METADATA = "metadata."


class JobsQuery(JobFilter, PageQuery):
    """The page of a list, and the conditions that its jobs meet. `metadata.KEY=VALUE` may be given for several keys."""

    MANY: ClassVar[frozenset[str]] = frozenset({"metadata"})

    metadata: Annotated[dict[str, Annotated[str, BeforeValidator(query.once)]], BeforeValidator(values_by_key)] = Field(
        default={}
    )

    @model_validator(mode="before")
    @classmethod
    def _collect_metadata(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Collect the parameters `metadata.KEY`. A parameter `metadata` without a key is refused later."""
        found = {name[len(METADATA) :]: value for name, value in values.items() if name.startswith(METADATA)}
        others = {name: value for name, value in values.items() if not name.startswith(METADATA)}
        return {"metadata": found, **others} if found else others
