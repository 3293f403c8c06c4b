"""A request in a job's record: it is read as it was written, also by another version."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import webhook_secret
from configs.settings import Settings
from ovseg_core.mask_prompt import MaskPrompt
from ovseg_core.prompts import Prompt
from worker.job import description, idempotency
from worker.job.parsing import parse, parse_embedding
from worker.job.record import Job
from worker.job.request import JobRequest, Options

SETTINGS = Settings(webhook_secret=None)
URL = "https://example.com/cat.jpg"
BOX = {"box": [1, 2, 30, 40]}


finite = st.floats(0, 500)


@given(
    st.lists(
        st.builds(
            lambda x, y, w, h, clicks: Prompt(
                box=(x, y, x + w, y + h), points=tuple(c[:2] for c in clicks), labels=tuple(c[2] for c in clicks)
            ),
            finite,
            finite,
            st.floats(0.01, 100),
            st.floats(0.01, 100),
            st.lists(st.tuples(finite, finite, st.sampled_from([0, 1])), max_size=3),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_request_is_read_from_its_record_as_it_was_written(prompts: list[Prompt]) -> None:
    body = {"image": URL, "prompts": [prompt.to_dict() for prompt in prompts], "metadata": {"a": [1, None]}}
    body["deadline"] = {"start_within_s": 0.5}
    request, _ = parse(body, None, SETTINGS)
    assert request.prompts == tuple(prompts)
    assert JobRequest.model_validate_json(request.model_dump_json()) == request


def test_a_mask_among_the_prompts_is_read_from_the_record_as_it_was_written() -> None:
    request, _ = parse({"image": URL, "prompts": [BOX]}, None, SETTINGS)
    prompts = (Prompt(mask=MaskPrompt((2, 2), "04")), Prompt.of_point(1, 1))
    with_mask = request.model_copy(update={"prompts": prompts})
    assert JobRequest.model_validate_json(with_mask.model_dump_json()) == with_mask


# As version 0.1 wrote it before it had `Options`.
RECORD = (
    '{"image":{"url":"https://example.com/cat.jpg","key":null,"content":null},"model":"SAM-Lite",'
    '"prompts":[{"box":[1.0,2.0,30.0,40.0],"points":[[1.5,2.0],[3.0,4.0]],"labels":[1,0]}],"device":"gpu",'
    '"outputs":["png","rle"],"metadata":{"\u00e9":[1,null,1e-300]},"webhook":{"url":"https://example.com/hook",'
    '"events":["job.started","job.failed"]},"deadline":{"start_within_s":null,"run_within_s":60.0}}'
)


def test_a_record_of_an_older_version_is_read_and_written_unchanged() -> None:
    """While a fleet is upgraded, old and new processes read each other's records."""
    assert json.loads(JobRequest.model_validate_json(RECORD).model_dump_json()) == json.loads(RECORD)


OPTIONS: dict[str, Any] = {
    "device": "gpu",
    "priority": "bulk",
    "metadata": {"mine": [1, None]},
    "webhook": {"url": "https://example.com/hook", "events": ["job.failed"]},
    "deadline": {"start_within_s": 1.5, "run_within_s": None},
}


def test_there_is_an_example_of_every_option() -> None:
    assert OPTIONS.keys() == Options.model_fields.keys()


@pytest.mark.parametrize("name", Options.model_fields)
@pytest.mark.parametrize(
    ("parser", "asked"), [(parse, {"image": URL, "prompts": [BOX]}), (parse_embedding, {"image": URL})]
)
def test_an_option_is_parsed_kept_in_the_record_covered_by_the_fingerprint_and_shown(
    name: str, parser: Any, asked: dict[str, Any]
) -> None:
    settings = Settings(webhook_secret=webhook_secret.new())
    without, _ = parser(asked, None, settings)
    request, _ = parser({**asked, name: OPTIONS[name]}, None, settings)
    assert request.model_copy(update={name: getattr(without, name)}) == without
    assert JobRequest.model_validate_json(request.model_dump_json()) == request != without
    assert idempotency.fingerprint(request) != idempotency.fingerprint(without)
    described = json.loads(json.dumps(description.describe(Job.accepted("mine", request, "0"))))
    assert described[name] == OPTIONS[name]
