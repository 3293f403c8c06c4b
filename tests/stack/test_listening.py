"""The settings are the defaults of the command line's options."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ovseg import address
from tests.support import pictures


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ovseg", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def taken() -> Iterator[tuple[str, str]]:
    """Two ports that another process listens on."""
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
            each.listen()
        yield str(one.getsockname()[1]), str(two.getsockname()[1])


def test_up_listens_on_the_address_and_uses_the_folder_of_the_settings(tmp_path: Path) -> None:
    settings = {
        "OVSEG_GATEWAY_HOST": "127.0.0.2",
        "OVSEG_GATEWAY_PORT": "0",  # any free port
        "OVSEG_DATA_DIR": str(tmp_path / "data"),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "ovseg", "up"],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as up:
        try:
            assert up.stdout is not None
            ready = re.compile(r"ready at (http://127\.0\.0\.2:\d+)")
            url = next(found[1] for line in up.stdout if (found := ready.search(line)))
            assert requests.get(f"{url}/healthz", timeout=60).json() == {"status": "ok"}
            assert (tmp_path / "data" / "valkey").is_dir()
            up.terminate()
            up.stdout.read()
            assert up.wait(120) == 0
        finally:
            up.kill()


def test_a_port_on_the_command_line_wins_over_the_setting(tmp_path: Path, taken: tuple[str, str]) -> None:
    of_setting, of_flag = taken
    folder = {"OVSEG_DATA_DIR": str(tmp_path)}
    by_setting = run("up", OVSEG_GATEWAY_PORT=of_setting, **folder)
    assert f"port {of_setting} on 127.0.0.1 is in use" in by_setting.stdout
    by_flag = run("up", "--port", of_flag, "--host", "localhost", OVSEG_GATEWAY_PORT=of_setting, **folder)
    assert f"port {of_flag} on localhost is in use" in by_flag.stdout


@pytest.mark.parametrize(
    ("command", "host", "port"),
    [("up", "192.0.2.1", "8080"), ("up", "[::1]", "0"), ("demo", "no.such.host.invalid", "8080")],
)
def test_a_host_of_another_machine_is_not_reported_as_a_port_in_use(
    tmp_path: Path, command: str, host: str, port: str
) -> None:
    elsewhere = {"OVSEG_GATEWAY_HOST": host, "OVSEG_GATEWAY_PORT": port, "OVSEG_AUTH": "off"}
    ran = run(command, **elsewhere, OVSEG_DATA_DIR=str(tmp_path / "data"))
    (line,) = (ran.stdout + ran.stderr).splitlines()
    assert ran.returncode == 1
    assert host in line
    assert "in use" not in line


def test_the_demo_listens_on_the_port_of_the_setting(tmp_path: Path, taken: tuple[str, str]) -> None:
    ran = run("demo", "--output", str(tmp_path), OVSEG_GATEWAY_PORT=taken[0])
    assert ran.returncode == 1
    assert f"port {taken[0]} on 127.0.0.1 is in use" in ran.stdout


def test_a_workers_device_is_the_settings_unless_the_command_line_names_one() -> None:
    assert "not 'abacus'" in run("worker", OVSEG_DEVICE="abacus").stderr
    assert "not 'quill'" in run("worker", "--device", "quill", OVSEG_DEVICE="abacus").stderr


def test_the_command_line_segments_with_the_engine_of_the_setting(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(pictures.photo())
    options = ["--pipeline", "open_vocabulary_segmentation", "--model", "SAM-Lite", "--input", str(photo)]
    boxes = ["--prompt", "[[140,10,305,180]]", "--device", "gpu:0"]
    # OpenVINO runs networks on CPUs only, and the refusal names the engine that was chosen.
    refusal = "the engine openvino cannot run sam_lite on gpu:0"
    assert refusal in run(*options, *boxes, OVSEG_ENGINE="openvino").stderr
    assert refusal not in run(*options, *boxes, "--engine", "paddle", OVSEG_ENGINE="openvino").stderr


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("gateway.internal", "http://gateway.internal:80"),
    ],
)
def test_a_machine_reaches_its_gateway_on_any_address_that_it_listens_on(host: str, url: str) -> None:
    assert address.of_gateway(host, 80) == url
