"""The modules that each process loads, in a fresh interpreter. `make lint` checks which file may import which."""

from __future__ import annotations

import json
import signal
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
    assert not commands & {
        *NETWORKS,
        "boto3",
        "celery",
        "flask",
        "httpx2",
        "ovseg_client",
    }  # so that `ovseg --help` answers fast
    assert not table & NETWORKS
    assert "flask" in gateway
    assert not gateway & {*NETWORKS, "PIL", "pycurl", "simplejpeg"}
    assert {"celery", "pycurl"} <= others
    assert not others & NETWORKS


def test_the_client_loads_no_array_no_picture_and_nothing_of_the_service() -> None:
    [loaded] = loaded_by("import ovseg_client")
    assert "httpx2" in loaded
    assert not loaded & {
        *NETWORKS,
        "PIL",
        "configs",
        "cryptography",
        "gateway",
        "ovseg",
        "ovseg_core",
        "tqdm",
        "worker",
    }


def test_a_child_that_decodes_images_loads_no_network_and_nothing_of_the_service() -> None:
    [loaded] = loaded_by("import worker.image.decoding_child")
    assert {"numpy", "PIL"} <= loaded
    assert not loaded & {"boto3", "celery", "configs", "onnxruntime", "openvino", "paddle", "pydantic", "redis"}


def test_importing_paddle_in_a_thread_keeps_the_handler_of_sigterm() -> None:
    """A worker has its handler before a thread imports Paddle for a model. Without it, SIGTERM would kill its jobs."""
    code = """
import signal, sys, threading
signal.signal(signal.SIGTERM, lambda *_: sys.exit("drained"))
thread = threading.Thread(target=__import__, args=["ovseg_core.quiet_paddle"])
thread.start()
thread.join()
signal.raise_signal(signal.SIGTERM)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (1, "drained\n")


def test_a_process_with_paddle_ends_at_sigterm_without_a_traceback() -> None:
    code = "import ovseg_core.quiet_paddle, signal; signal.raise_signal(signal.SIGTERM)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (-signal.SIGTERM, "")
