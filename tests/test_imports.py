"""The two rules of the house, each held in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest


def loaded_by(statement: str) -> set[str]:
    """The top-level modules in memory after a statement."""
    code = f"import sys\n{statement}\nprint(' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_the_gateway_loads_neither_paddle_nor_openvino_nor_opencv() -> None:
    loaded = loaded_by("import gateway; gateway.create_app()")
    assert "flask" in loaded
    assert not loaded & {"paddle", "openvino", "onnxruntime", "cv2", "numpy", "pycurl", "PIL", "simplejpeg"}


@pytest.mark.parametrize("command", ["gateway", "reaper", "webhooks"])
def test_processes_that_segment_nothing_load_no_network_either(command: str) -> None:
    module = {"gateway": "ovseg.serve", "reaper": "worker.run", "webhooks": "worker.webhook.deliver"}[command]
    assert not loaded_by(f"import ovseg.commands, {module}") & {"paddle", "cv2", "numpy"}


def test_a_child_that_decodes_images_loads_no_network_and_nothing_of_the_service() -> None:
    loaded = loaded_by("import worker.image.decoding_child")
    assert {"numpy", "PIL"} <= loaded
    assert not loaded & {"paddle", "openvino", "onnxruntime", "redis", "celery", "boto3", "pydantic", "configs"}


def test_the_core_knows_no_other_room() -> None:
    loaded = loaded_by(
        "import ovseg_core.segmenter, ovseg_core.overlay, ovseg_core.paddlex.serving_result, ovseg_core.image"
    )
    assert "ovseg_core" in loaded
    assert not loaded & {"gateway", "worker", "configs", "ovseg", "flask", "redis", "celery", "boto3"}


def test_the_table_of_networks_is_read_without_loading_one() -> None:
    loaded = loaded_by("from ovseg_core.networks import NETWORKS; assert NETWORKS")
    assert not loaded & {"paddle", "openvino", "onnxruntime", "cv2", "numpy"}


def test_imports_follow_a_request_and_never_turn_back() -> None:
    assert not loaded_by("import worker.run, worker.tasks") & {"gateway", "ovseg"}
    assert "ovseg" not in loaded_by("import gateway")


def test_the_command_is_there_before_anything_heavy() -> None:
    assert not loaded_by("import ovseg.commands") & {"paddle", "flask", "celery", "boto3", "cv2", "numpy"}
