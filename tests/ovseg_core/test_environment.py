"""The environment variables of the library, and the folders without them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from click.testing import CliRunner

from ovseg.commands import main
from ovseg_core import environment, models
from ovseg_core.paddlex.model import create_model
from tests.test_settings import HTTP, SECRET

PACKAGE = Path(environment.__file__).parent


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*environment.VARIABLES, "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("cache", "root"), [(None, "{home}/.cache"), ("", "{home}/.cache"), ("/elsewhere", "/elsewhere")]
)
def test_the_default_folders_are_those_of_earlier_versions(
    home: Path, monkeypatch: pytest.MonkeyPatch, cache: str | None, root: str
) -> None:
    if cache is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", cache)
    root = root.format(home=home)
    assert str(environment.models_dir()) == f"{root}/ovseg/models"
    assert str(environment.engines_dir()) == f"{root}/ovseg/engines"


def test_a_variable_is_read_at_each_call_and_an_empty_one_counts_as_unset(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVSEG_MODELS_DIR", "/mine")
    assert str(models.find("SAM-B").weights.parent) == "/mine"
    assert CliRunner().invoke(main, ["models", "path"]).stdout == "/mine\n"
    for name in environment.VARIABLES:
        monkeypatch.setenv(name, "")
    assert models.find("SAM-B").weights.parent == home / ".cache" / "ovseg" / "models"
    assert (environment.models_yaml(), environment.models_mirror()) == (None, None)


@pytest.mark.parametrize("value", HTTP.values(), ids=HTTP)
def test_an_invalid_url_of_a_mirror_is_an_error_that_does_not_repeat_it(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVSEG_MODELS_MIRROR", value)
    with pytest.raises(ValueError, match=r"^OVSEG_MODELS_MIRROR: .{10}") as caught:
        create_model("SAM-B")
    ran = CliRunner().invoke(main, ["models", "pull", "SAM-B"])
    assert (ran.exit_code, ran.stderr) == (1, f"Error: {caught.value}\n")
    assert SECRET not in ran.stderr


def test_only_environment_and_quiet_paddle_read_environment_variables() -> None:
    readers = {
        path.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "putenv")
    }
    assert readers == {"environment.py", "quiet_paddle.py"}
