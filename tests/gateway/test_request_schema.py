"""The JSON Schema of a request for a job allows what the parser accepts, and nothing whose form it refuses."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from configs.settings import Settings
from gateway import job_examples, paddlex
from ovseg_core.errors import OvsegError
from tests.conftest import WEBHOOK_SECRET
from tests.support import contract
from worker.job import detect_request, parsing

SETTINGS = Settings(webhook_secret=WEBHOOK_SECRET, image_headers_secret="a" * 43 + "=")
DOCUMENT = contract.built()
URL = "https://example.com/a.jpg"
# A mistake in the form of a request. Other codes are about what its values mean, which no schema describes: a box whose
# sides are exchanged, options that do not fit one another, an image that is unknown.
OF_FORM = {"invalid_request", "invalid_value", "prompts_missing", "image_missing", "unknown_field"}

RICH: list[dict[str, Any]] = [
    *job_examples.JOBS.values(),
    {
        "image": {"url": URL, "headers": {"Authorization": "Bearer x"}},
        "prompts": [
            {"box": [1, 2, 3, 4], "points": [[1, 2], [3, 4]], "labels": [1, 0], "id": "a", "name": "b"},
            {"mask": {"rle": {"size": [4, 4], "counts": "0`0"}}, "id": 7},
        ],
        "device": "cpu",
        "priority": "bulk",
        "polygons": {"tolerance": 1.5, "min_area": 3, "max_parts": 1},
        "outputs": ["polygons", "rle"],
        "multimask": "best",
        "on_invalid_prompt": "fail",
        "metadata": {"a": [1, {"b": None}]},
        "webhook": "https://example.com/hook",
        "deadline": {"run_within_s": 1.5},
    },
    {"image": {"sha256": "a" * 64}, "prompts": "everything"},
    {"image": URL, "prompts": {"everything": {"crop_n_layers": 1, "pred_iou_thresh": 0.5, "point_grids": None}}},
    {"image": URL, "prompts": [{"points": [[1, 2]]}], "ephemeral": True, "outputs": ["rle"], "priority": "interactive"},
    {"image": URL, "promptType": "everything"},
    {"image": URL, "promptType": "everything", "prompt": {"points_per_side": 4}},
    {"image": URL, "promptType": "text", "prompt": "bus. dog"},
    {"image": URL, "promptType": "text", "prompt": ["bus", "dog"], "detector": "LLMDet-T", "multimask": "best"},
    {
        "image": URL,
        "prompts": [{"text": "dog", "name": "x"}, {"text": ["a", "b"], "box": [1, 2, 3, 4]}, {"points": [[1, 2]]}],
        "detection": {"box_threshold": 0.4, "max_objects": 3, "nms_threshold": None, "class_agnostic_nms": True},
    },
    {"image": URL, "promptType": "point", "prompt": [[1, 2]], "model": "SAM-B"},
]
VALUES: list[Any] = [None, True, 0, 1, -1, 1.5, 10**20, "", "x", URL, "everything", [], [1], [1, 2], [1, 2, 3, 4]]
VALUES += [[[1, 2]], {}, {"x": 1}, {"everything": {}}, [{"box": [1, 2, 3, 4]}], ["rle"], "best", "box", {"url": URL}]
VALUES += ["all", "text", ["dog"], [{"text": "dog"}], "LLMDet-T", {"text_threshold": 1}]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of everything inside a value."""
    if not isinstance(value, (dict, list)):
        return [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(each for key, item in inner for each in places(item, (*path, key)))]


@st.composite
def bodies(draw: st.DrawFn, rich: list[dict[str, Any]]) -> dict[str, Any]:
    """Draw a valid body with up to three changes: a value replaced, removed or added."""
    body: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(rich)))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from([path for path in places(body) if path] or [("image",)]))
        parent: Any = body
        for key in path[:-1]:
            parent = parent[key]
        change = draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "replace" or not isinstance(parent, dict):
            parent[path[-1]] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        elif change == "remove":
            parent.pop(path[-1], None)
        else:
            names = st.sampled_from([*parsing.JobFields.model_fields, "visualize", "x"])
            parent[draw(names)] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    return body


def schema_of(route: str) -> dict[str, Any]:
    content = DOCUMENT["paths"][route]["post"]["requestBody"]["content"]
    schema: dict[str, Any] = content["application/json"]["schema"]
    return schema


def agree(parse: Callable[[Any], object], schema: dict[str, Any], body: Any) -> None:
    try:
        parse(body)
        code = None
    except OvsegError as error:
        code = error.code
    wrong = contract.errors(schema, body)
    if code is None:
        assert not wrong, f"the parser accepts {body}, and the schema does not: {wrong}"
    elif code in OF_FORM:
        assert wrong, f"the parser refuses {body} as {code}, and the schema allows it"


@given(bodies(RICH))
@hypothesis_settings(max_examples=600, derandomize=True, database=None)
@example({"image": URL, "promptType": "everything", "prompt": [[1, 2]]})
def test_the_schema_of_a_job_and_its_parser_agree(body: dict[str, Any]) -> None:
    agree(lambda each: parsing.parse(each, None, SETTINGS), schema_of("/v1/jobs"), body)


@given(bodies([{**body, "model": "SAM-Lite"} for body in job_examples.EMBEDDINGS.values()]))
@hypothesis_settings(max_examples=100, derandomize=True, database=None)
def test_the_schema_of_an_embedding_and_its_parser_agree(body: dict[str, Any]) -> None:
    agree(lambda each: parsing.parse_embedding(each, None, SETTINGS), schema_of("/v1/embeddings"), body)


@given(bodies([*job_examples.PADDLEX.values(), *RICH[-3:], {**RICH[-2], "visualize": True, "more": 1}]))
@hypothesis_settings(max_examples=200, derandomize=True, database=None)
def test_the_schema_of_paddlexs_route_and_its_parser_agree(body: dict[str, Any]) -> None:
    def parse(each: Any) -> None:
        fields = paddlex._as_job(each, paddlex._visualize(each, True))
        parsing.parse(fields, None, SETTINGS)

    agree(parse, schema_of("/open-vocabulary-segmentation"), body)


@given(bodies([*job_examples.PADDLEX_DETECT.values(), {"image": URL, "prompt": "a", "visualize": False, "more": 1}]))
@hypothesis_settings(max_examples=200, derandomize=True, database=None)
def test_the_schema_of_paddlexs_route_for_detection_and_its_parser_agree(body: dict[str, Any]) -> None:
    def parse(each: Any) -> None:
        detect_request.parse(each, paddlex._visualize(each, True), SETTINGS)

    agree(parse, schema_of("/open-vocabulary-detection"), body)
