"""What a worker reports about its models."""

from __future__ import annotations

from pathlib import Path

import pytest

from ovseg_core import models
from worker.process.model_report import ModelReport

LITE = models.find("SAM-Lite").weights


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    return tmp_path


def test_a_report_has_the_installed_models_with_their_sizes_and_those_that_are_loaded(models_dir: Path) -> None:
    assert ModelReport.of({}).installed == {"SAM-Lite": LITE.stat().st_size}
    models.find("MobileSAM").weights.write_bytes(b"12345")
    report = ModelReport.of({"SAM-Lite": ("openvino", "bfloat16")})
    assert report.installed == {"SAM-Lite": LITE.stat().st_size, "MobileSAM": 5}
    models.find_detector("LLMDet-T").weights.write_bytes(b"123")
    assert ModelReport.of({}).installed["LLMDet-T"] == 3
    assert ModelReport.from_json(report.to_json()) == report


def test_a_model_is_installed_if_the_one_that_takes_its_place_is(models_dir: Path) -> None:
    models.find("SAM-H").weights.write_bytes(b"123")
    assert ModelReport.of({}).installed.keys() == {"SAM-Lite", "SAM-H", "SAM-H_box", "SAM-H_point"}
