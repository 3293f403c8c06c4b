"""The modules that each process loads, in a fresh interpreter. `make lint` checks which file may import which."""

from __future__ import annotations

import json
import subprocess
import sys

NETWORKS = {"cv2", "numpy", "onnxruntime", "openvino", "paddle"}


def loaded_by(*statements: str) -> list[set[str]]:
    """Return the top-level modules in memory after each statement; one interpreter runs the statements in order."""
    code = "import json, sys\nfound = []\n"
    for statement in statements:
        code += f"{statement}\nfound.append(list({{name.partition('.')[0] for name in sys.modules}}))\n"
    ran = subprocess.run([sys.executable, "-c", f"{code}print(json.dumps(found))"], stdout=subprocess.PIPE, check=True)
    return [set(names) for names in json.loads(ran.stdout)]


def test_processes_that_segment_nothing_load_no_network() -> None:
    commands, table, gateway, others = loaded_by(
        "import ovseg.commands",
        "from ovseg_core import models; assert models.all_models()",
        "import ovseg.serve, gateway; gateway.create_app()",
        "import worker.run, worker.webhook.deliver",  # the reaper and the sender of webhooks
    )
    assert "click" in commands
    assert not commands & {*NETWORKS, "boto3", "celery", "flask"}  # so that `ovseg --help` answers fast
    assert not table & NETWORKS
    assert "flask" in gateway
    assert not gateway & {*NETWORKS, "PIL", "pycurl", "simplejpeg"}
    assert {"celery", "pycurl"} <= others
    assert not others & NETWORKS


def test_a_child_that_decodes_images_loads_no_network_and_nothing_of_the_service() -> None:
    [loaded] = loaded_by("import worker.image.decoding_child")
    assert {"numpy", "PIL"} <= loaded
    assert not loaded & {"boto3", "celery", "configs", "onnxruntime", "openvino", "paddle", "pydantic", "redis"}
