"""The documentation agrees with the code."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from packaging.requirements import Requirement

import gateway
from benchmarks.clients import tables as clients
from configs.settings import Settings
from gateway.problem import STATUS_OF_CODE
from ovseg import commands
from ovseg_core import header, models, outputs
from ovseg_core.everything.options import RANGES, EverythingOptions
from ovseg_core.family import ALL_KINDS
from tests.support import variables
from worker.job import event_type

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
API = (ROOT / "docs" / "api.md").read_text()
API_CODE = re.findall(r"`([^`]+)`", re.sub("```.*?```", "", API, flags=re.DOTALL))  # in its sentences and tables
MODELS = (ROOT / "docs" / "models.md").read_text()
ENGINE_LETTERS = {"openvino": "O", "onnxruntime": "N", "paddle": "P"}
BYTES = {"MB": 10**6, "GB": 10**9}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_options_of_everything_mode_are_in_the_api_page_with_their_defaults() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", API, re.MULTILINE)
    numbers = {"null": None, "512 / 1500": 512 / 1500}
    ours, lite = EverythingOptions(), models.find("SAM-Lite").preset.everything
    names = [field.name for field in dataclasses.fields(EverythingOptions)]
    assert [name for name, *_ in rows if name in names] == names
    assert {*RANGES, "point_grids"} == set(names)
    for name, default, of_lite in rows:
        if name in names:
            shown = [numbers[cell] if cell in numbers else float(cell) for cell in (default, of_lite)]
            assert shown == [getattr(ours, name), getattr(lite, name)], name


PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))),
]


def test_the_comparison_of_clients_shows_what_was_measured() -> None:
    page = (ROOT / "docs" / "compared-clients.md").read_text()
    for table in clients.tables(json.loads(clients.RESULT.read_text())):
        assert table in page


@pytest.mark.parametrize("package", ["worker", "ovseg_core"])
def test_the_figure_and_the_page_of_the_rooms_have_every_family(package: str) -> None:
    families = [each.parent.name for each in (ROOT / package).glob("*/*.py")]
    for shown in ("rooms.svg", "architecture.md"):
        named = re.findall(r"\b(\w+)/", (ROOT / "docs" / shown).read_text())
        assert set(families) - set(named) == set(), shown


@pytest.mark.parametrize("name", PAGES)
def test_links_of_a_page_lead_somewhere(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text())
    assert links or name != "README.md"
    for link in links:
        assert (page.parent / link).exists(), link


def test_every_setting_has_a_description_and_is_listed() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
    listed = subprocess.run(
        [sys.executable, "-m", "ovseg", "settings"], capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r"^OVSEG_[A-Z0-9_]+(?= = )", listed, re.MULTILINE)) == variables.OF_THE_SERVICE
    assert set(re.findall(r"^OVSEG_[A-Z0-9_]+$", listed, re.MULTILINE)) == variables.OF_THE_LIBRARY


def test_settings_named_in_the_docs_exist() -> None:
    text = "".join((ROOT / page).read_text() for page in (*PAGES, "docker-compose.yml"))
    named = set(re.findall(r"OVSEG_[A-Z0-9_]+", text))
    assert "OVSEG_REDIS_URL" in named
    assert named <= variables.ALL


def typed(page: str) -> list[str]:
    """Return what a reader may type: the lines of a page's blocks for a shell, and the code in its sentences."""
    text = (ROOT / page).read_text().replace("\\\n", " ")
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    spans = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [line.partition(" #")[0] for line in "\n".join(blocks).splitlines()] + [" ".join(s.split()) for s in spans]


@pytest.mark.parametrize("page", [*PAGES, "clients/python/README.md"])
def test_the_commands_of_a_page_and_their_options_exist(page: str) -> None:
    lines = typed(page)
    for words in (re.split(r"[\s|)=]+", found) for line in lines for found in re.findall(r"\bovseg ([a-z-].*)", line)):
        command: click.Command = commands.main
        while isinstance(command, click.Group) and words and re.match("[a-z]", words[0]):
            assert words[0] in command.commands, words
            command = command.commands[words.pop(0)]
        known = {"--help", *(name for parameter in command.params for name in parameter.opts)}
        assert {word for word in words if word.startswith("--")} <= known, (command.name, words)
    targets = re.findall(r"^([a-z][a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {found for line in lines for found in re.findall(r"^(?:timeout \S+ )?make ([a-z][\w-]*)", line)} <= {
        *targets
    }
    for module in (found for line in lines for found in re.findall(r"\bpython -m ([\w.]+)", line)):
        assert find_spec(module), module


def test_the_extras_that_pages_and_messages_name_exist() -> None:
    for page in (*PAGES, "clients/python/README.md"):
        for project, names in re.findall(r"'(\.|clients/python)\[([^]]+)\]'", (ROOT / page).read_text()):
            there = tomllib.loads((ROOT / project / "pyproject.toml").read_text())["project"]["optional-dependencies"]
            assert set(names.split(",")) <= there.keys(), page
    sources = (file.read_text() for folder in ("ovseg", "ovseg_core") for file in (ROOT / folder).rglob("*.py"))
    named = {name for source in sources for name in re.findall(r"how_to_install\(['\"](\w+)", source)}
    assert {"embedded", "pdf"} <= named
    assert named <= PROJECT["project"]["optional-dependencies"].keys()


def test_every_error_code_is_documented() -> None:
    written = {"url_unreachable", *STATUS_OF_CODE}
    for folder in ("gateway", "worker", "ovseg_core"):
        for file in (ROOT / folder).rglob("*.py"):
            written |= set(
                re.findall(r'(?:OvsegError|_refuse|JobError|_render)\(\s*(?:status, )?"([a-z_]+)"', file.read_text())
            )
    assert len(written) > 20
    assert [code for code in written if f"`{code}`" not in API] == []


def test_every_route_is_in_the_api_page() -> None:
    rules = list(gateway.create_app(Settings()).url_map.iter_rules())
    assert len(rules) > 20
    there = {
        f"{method} {re.sub('<[^>]+>', '{}', rule.rule)}"
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    written = {re.sub(r"\{[^}]+\}", "{}", code) for code in API_CODE}
    assert sorted(there - written) == []


def test_the_api_page_has_no_route_that_does_not_exist() -> None:
    written = [found.groups() for code in API_CODE if (found := re.match(r"([A-Z]+) (/[^\s?]*)", code))]
    assert len(written) > 20
    routes = gateway.create_app(Settings()).url_map.bind("")
    for method, path in written:
        assert routes.test(re.sub(r"\{[^}]+\}", "x", path), method), (method, path)


def test_every_output_and_event_is_in_the_api_page() -> None:
    shown = {row.key if isinstance(row, outputs.Entry) else row.shown_as for row in outputs.OUTPUTS}
    assert {"rle", "overlay"} <= set(outputs.names())
    names = {*outputs.names(), *shown, *event_type.ALL, event_type.TEST}
    assert len(names) >= 10
    written = set(re.findall(r"[\w.]+", " ".join(API_CODE)))
    assert sorted(names - written) == []


@pytest.mark.parametrize("name", models.all_models())
def test_the_table_of_models_has_the_prompts_licence_engines_and_size_of_each_model(name: str) -> None:
    rows = [line.strip("| ").split(" |") for line in MODELS.splitlines() if line.startswith("| ")]
    titles = [title.strip() for title in next(row for row in rows if row[0] == "model")]
    [row] = [row for row in rows if row[0] == name and len(row) == len(titles)]
    cells = dict(zip(titles, (cell.strip() for cell in row), strict=True))
    spec = models.find(name)
    assert cells["licence"] == spec.licence
    assert (cells["prompts"] == "all") == (spec.family.takes == ALL_KINDS)
    assert cells["engines"].split(", ") == [ENGINE_LETTERS[engine] for engine in spec.family.engines]
    size = spec.weights.stat().st_size if spec.is_bundled else spec.size
    number, unit = cells["file"].partition(",")[0].split() if size else ("0", "MB")
    assert float(number) * BYTES[unit] == pytest.approx(size or 0, rel=0.07)


def test_both_pages_name_the_formats_that_are_read() -> None:
    inputs = (ROOT / "docs" / "inputs.md").read_text()
    for page, pattern in ((inputs, r"^\| (JPEG, .*?) \|"), (API, r"^Images: (.*?)\. The first picture")):
        [listed] = re.findall(pattern, page, re.MULTILINE)
        names = {name.partition(" (")[0].upper() for name in listed.split(", ")}
        assert names == {"PNM" if name == "PPM" else name for name in header.FORMATS}


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.compose-spec", "docker-compose.yml"),
        ("vendor.github-workflows", ".github/workflows/ci.yml"),
        ("custom.github-workflows-require-timeout", ".github/workflows/ci.yml"),
    ],
)
def test_files_for_other_programs_follow_their_schema(schema: str, file: str) -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, file]
    ran = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout


def test_the_configuration_of_pre_commit_is_valid() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-config"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_make_targets_of_ci_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for file in (".ci/run", ".github/workflows/ci.yml"):
        named = set(re.findall(r"(?:^|run: )make ([a-z][a-z-]+)", (ROOT / file).read_text(), re.MULTILINE))
        assert named, file
        assert named <= targets, file


@pytest.mark.parametrize("file", sorted((ROOT / "deploy").glob("*.Dockerfile")), ids=lambda file: file.name)
def test_no_image_runs_as_root(file: Path) -> None:
    lines = file.read_text().splitlines()
    users = [i for i, line in enumerate(lines) if line.startswith("USER ")]
    assert lines[users[-1]] == "USER 10001"
    assert any(line.startswith("CMD ") for line in lines[users[-1] :])


def test_the_gateways_image_has_what_the_gateway_imports_and_no_neural_network() -> None:
    group = PROJECT["dependency-groups"]["gateway"]
    assert set(group) <= set(PROJECT["project"]["dependencies"])  # the same ranges
    installed, todo = set(), [Requirement(line) for line in group]
    while todo:
        requirement = todo.pop()
        if requirement.name in installed:
            continue
        installed.add(requirement.name)
        for line in metadata.requires(requirement.name) or []:
            further = Requirement(line)
            extras = requirement.extras or {""}
            if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in extras):
                todo.append(further)
    canonical = {re.sub(r"[-_.]+", "-", name).lower() for name in installed}
    assert not canonical & {"paddlepaddle", "opencv-python", "numpy", "pycocotools"}

    imports = "import sys, ovseg.serve, gateway, worker.run, worker.webhook.deliver"
    code = f"{imports}; gateway.create_app(); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    owners = metadata.packages_distributions()
    # redis-py, billiard, limits and Celery load them if they are installed
    tried = {"setuptools", "cryptography", "cffi", "valkey", "greenlet"}
    for module in {name.partition(".")[0] for name in modules.split()} - {
        "ovseg",
        "configs",
        "gateway",
        "worker",
        "ovseg_core",
    }:
        names = {re.sub(r"[-_.]+", "-", name).lower() for name in owners.get(module, [])}
        assert not names or names & canonical or names <= tried, (module, names)
