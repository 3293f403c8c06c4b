"""Everything mode in requests, and how records, fingerprints and job objects show it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from configs.settings import Settings
from ovseg_core import models
from ovseg_core.errors import OvsegError
from tests.support.protocol import accepted, begin
from worker.job import description
from worker.job.idempotency import fingerprint
from worker.job.jobs import Jobs
from worker.job.parsing import parse
from worker.job.record import Job
from worker.job.request import Cost, JobRequest
from worker.store.keyspace import Keyspace

SETTINGS = Settings()
URL = "https://example.com/cat.jpg"
BOX = {"box": [1, 2, 30, 40]}
EVERYTHING = "e02add5105ec411176fe554ad1a16eeced6298d5ed4716b74a5e45164987e0d6"
GRID = [[[0.5, 0.5], [0.25, 1]]]
NESTED = json.loads("[" * 900 + "]" * 900)  # json.loads takes almost 1,000 levels


def request(prompts: object = "everything", **fields: Any) -> JobRequest:
    return parse({"image": URL, "prompts": prompts, **fields}, None, SETTINGS)[0]


def everything(**options: Any) -> dict[str, Any]:
    return {"everything": options}


@pytest.mark.parametrize(
    ("body", "options"),
    [
        ({"prompts": "everything"}, {}),
        ({"prompts": everything()}, {}),
        (
            {"prompts": everything(points_per_side=16, pred_iou_thresh=1)},
            {"points_per_side": 16, "pred_iou_thresh": 1.0},
        ),
        ({"prompts": everything(point_grids=GRID)}, {"point_grids": [[[0.5, 0.5], [0.25, 1.0]]]}),
        ({"prompts": everything(point_grids=None)}, {}),
        ({"promptType": "everything"}, {}),
        ({"promptType": "everything", "prompt": None}, {}),
        ({"promptType": "everything", "prompt": {"crop_n_layers": 1}, "prompts": None}, {"crop_n_layers": 1}),
    ],
)
def test_everything_is_requested_in_our_words_or_in_paddlexs(body: dict[str, Any], options: dict[str, Any]) -> None:
    parsed, _ = parse({"image": URL, **body}, None, SETTINGS)
    assert (parsed.prompts, parsed.everything) == ((), options)
    assert JobRequest.model_validate_json(parsed.model_dump_json()) == parsed
    job = json.loads(json.dumps(description.describe(Job.accepted("mine", parsed, "0"))))
    assert job["prompts"] == {"everything": options}


@pytest.mark.parametrize(
    ("body", "code", "field", "message"),
    [
        ({"prompts": "all"}, "invalid_value", "prompts", "valid list"),
        ({"prompts": {}}, "invalid_value", "prompts", 'list of prompts, or "everything"'),
        ({"prompts": {"box": [1, 2, 3, 4]}}, "invalid_value", "prompts", 'list of prompts, or "everything"'),
        ({"prompts": {**everything(), "box": [1, 2, 3, 4]}}, "invalid_value", "prompts", "list of prompts"),
        ({"prompts": ["everything"]}, "invalid_value", "prompts[0]", "valid dictionary"),
        ({"prompts": [everything()]}, "unknown_field", "prompts[0].everything", "allowed: box"),
        ({"prompts": {"everything": None}}, "invalid_value", "prompts.everything", "an object with options"),
        ({"prompts": {"everything": True}}, "invalid_value", "prompts.everything", "an object with options"),
        ({"prompts": {"everything": []}}, "invalid_value", "prompts.everything", "an object with options"),
        ({"prompts": {"everything": 32}}, "invalid_value", "prompts.everything", "an object with options"),
        ({"prompts": "everything", "prompt": [[1, 2]]}, "invalid_request", "prompts", "takes no prompts"),
        ({"prompts": everything(), "promptType": "everything"}, "invalid_request", "prompts", "takes no prompts"),
        ({"prompts": [BOX], "promptType": "everything"}, "invalid_request", "prompts", "takes no prompts"),
        ({"promptType": "everything", "prompt": [[1, 2]]}, "invalid_value", "prompt", "an object with options"),
        ({"promptType": "everything", "prompt": {"colour": 1}}, "invalid_options", "prompt.colour", "unknown option"),
        ({"promptType": "box", "prompt": {}}, "invalid_value", "prompt", "valid list"),
        *(
            ({"prompts": {"everything": {name: value}}}, "invalid_options", f"prompts.everything.{name}", words)
            for name, value, words in [
                ("points_per_sid", 8, "did you mean points_per_side?"),
                ("x" * 1000, 8, "allowed: points_per_side"),
                ("points_per_side", 0, "number from 1 to 256"),
                ("points_per_side", 8.0, "whole number"),
                ("points_per_side", "8", "whole number"),
                ("points_per_side", True, "whole number"),
                ("points_per_side", None, "whole number"),
                ("points_per_side", 10**300, "number from 1 to 256"),
                ("pred_iou_thresh", 1.01, "from 0 to 1"),
                ("pred_iou_thresh", float("nan"), "from 0 to 1"),
                ("stability_score_thresh", [0.5], "from 0 to 1"),
                ("crop_n_layers", 5, "from 0 to 4"),
                ("crop_n_layers", 3, "85 runs of the image encoder; at most 21"),
                ("point_grids", 3, "a list of grids"),
                ("point_grids", [[[0.5]]], "a list of grids"),
                ("point_grids", [[[0.5, 1.5]]], "from 0 to 1"),
                ("point_grids", [[["0.5", 0.5]]], "a list of grids"),
                ("point_grids", [[[True, 0.5]]], "a list of grids"),
                ("point_grids", [{"01": 1}], "a list of grids"),
                ("point_grids", [*GRID, *GRID], "2 grids"),
                ("point_grids", NESTED, "a list of grids"),
                ("point_grids", [[[10**309, 0.5]]], "a list of grids"),
                ("points_per_side", 10**309, "a whole number"),
                ("pred_iou_thresh", -(10**309), "a number from 0 to 1"),
            ]
        ),
        ({"prompts": everything(points_per_side=101)}, "too_many_points", "prompts.everything", "10,201 points"),
        (
            {"prompts": everything(points_per_side=32, crop_n_layers=2)},
            "too_many_points",
            "prompts.everything",
            "21,504 points",
        ),
        ({"prompts": "everything", "model": "SAM-9"}, "unknown_model", "model", "available"),
        ({"prompts": "everything", "colour": 1}, "unknown_field", "colour", "allowed: image"),
    ],
)
def test_what_may_not_be_asked_of_everything_mode(body: dict[str, Any], code: str, field: str, message: str) -> None:
    with pytest.raises(OvsegError) as caught:
        parse({"image": URL, **body}, None, SETTINGS)
    error = caught.value
    shown = field if len(field) < 100 else f"{field[:99]}"
    assert (error.code, (error.field or "")[:99]) == (code, shown)
    assert message in error.message


def test_the_limits_of_everything_mode_are_settings() -> None:
    body = {"image": URL, "prompts": everything(points_per_side=4, crop_n_layers=1)}
    for setting, smallest in (("max_everything_points", 80), ("max_everything_encodes", 5)):
        parse(body, None, Settings.model_validate({setting: smallest}))
        with pytest.raises(OvsegError, match=f"at most {smallest - 1}"):
            parse(body, None, Settings.model_validate({setting: smallest - 1}))


def test_a_model_that_has_no_everything_mode_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models.yaml").write_text("Boxes: {network: paddlex, file: boxes}")
    monkeypatch.setenv("OVSEG_MODELS_YAML", str(tmp_path / "models.yaml"))
    mixed = {**BOX, "points": [[1, 2]]}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"prompts": "everything"}, "prompts"),
        ({"prompts": everything()}, "prompts.everything"),
        ({"promptType": "everything"}, "prompt"),
        ({"prompts": [BOX, mixed]}, "prompts[1]"),
    ]
    for body, field in cases:
        with pytest.raises(OvsegError, match="takes only box or point") as caught:
            parse({"image": URL, "model": "Boxes", **body}, None, SETTINGS)
        assert (caught.value.code, caught.value.field) == ("prompt_not_supported", field)


def test_the_cost_of_a_request_counts_encodings_and_decoded_prompts() -> None:
    assert request([BOX, BOX]).cost == Cost(1, 2)
    assert request(everything(points_per_side=4)).cost == Cost(1, 16)
    layers = everything(points_per_side=8, crop_n_layers=2, crop_n_points_downscale_factor=2)
    assert request(layers).cost == Cost(21, 64 + 4 * 16 + 16 * 4)
    assert request(everything(point_grids=GRID)).cost == Cost(1, 2)
    side = models.find("SAM-Lite").preset.everything.points_per_side
    assert request().cost == Cost(1, side**2)


def test_different_options_have_different_fingerprints_and_different_spellings_do_not() -> None:
    same = [
        request(everything(pred_iou_thresh=1, points_per_side=8)),
        request(everything(points_per_side=8, pred_iou_thresh=1.0)),
        parse(
            {"image": URL, "promptType": "everything", "prompt": {"points_per_side": 8, "pred_iou_thresh": 1}},
            None,
            SETTINGS,
        )[0],
    ]
    assert len({fingerprint(each) for each in same}) == 1
    grids = [request(everything(point_grids=[[[x, 0.5]]])) for x in (1, 1.0)]
    assert fingerprint(grids[0]) == fingerprint(grids[1])
    others = [request([BOX]), request(), request(everything(points_per_side=8)), request(everything(points_per_side=9))]
    assert len({fingerprint(each) for each in [*same, *others]}) == 5
    assert fingerprint(request()) == EVERYTHING  # Redis keeps fingerprints across upgrades


def test_the_progress_of_a_running_attempt_is_shown_until_the_attempt_ends(jobs: Jobs, keyspace: Keyspace) -> None:
    job_id = accepted(jobs, "mine", request()).id
    first = begin(jobs, job_id)
    jobs.report_progress(first, 0, 1024)
    jobs.report_progress(first, 64, 1024)
    assert shown(jobs, job_id) == {"done": 64, "total": 1024}
    jobs.hand_back(first)
    assert shown(jobs, job_id) is None
    second = begin(jobs, job_id)
    jobs.report_progress(first, 128, 1024)  # too late
    assert shown(jobs, job_id) is None
    jobs.report_progress(second, 512, 1024)
    jobs.succeed(second, {}, {}, 0)
    jobs.report_progress(second, 1024, 1024)
    assert shown(jobs, job_id) is None
    assert not keyspace.redis.hexists(keyspace.key("job:mine"), "progress")


def shown(jobs: Jobs, job_id: str) -> Any:
    job = jobs.get(job_id)
    assert job is not None
    return description.describe(job)["progress"]
