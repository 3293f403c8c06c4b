"""The site of these pages: `make docs` writes it to build/docs."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from pydantic import BaseModel
from sphinx.application import Sphinx

import ovseg_core
from configs import default_text
from configs.settings import Settings
from ovseg_core import environment

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SOURCE = PROJECT["urls"]["Source"]

# Pages at the top of the repository, and the pages here that include them.
INCLUDED = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}

# Pages with lines of links such as `[Go](../examples/go/wait/main.go)`. The site shows tabs with the files instead.
WITH_TABS = {"examples", "compared-clients"}
LANGUAGES = {".sh": "bash", ".py": "python", ".mjs": "javascript", ".go": "go"}

project = PROJECT["name"]
release = PROJECT["version"]
html_title = f"ovseg {release}"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
]
myst_heading_anchors = 3  # anchors such as `api.md#webhooks`, in the code host's form
suppress_warnings = ["misc.highlighting_failure"]  # examples of JSON contain "..." in place of omitted parts
smartquotes = False  # keeps `--option` as it is typed
default_role = "code"  # docstrings write `name`, as Markdown does

html_theme = "furo"
html_favicon = "../gateway/web/mark.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {"source_repository": SOURCE, "source_branch": "main", "source_directory": "docs/"}
html_copy_source = False
html_show_copyright = False

maximum_signature_line_length = 100
autodoc_member_order = "bysource"

# The package loads a public name when it is first used. autodoc documents only names that are loaded.
for name in ovseg_core.__all__:
    setattr(ovseg_core, name, getattr(ovseg_core, name))


def _leads_from(folder: Path, link: str) -> str:
    """Return the target on the site for a link of a page in `folder`: a page, or the source at the code host."""
    path, mark, section = link.partition("#")
    target = (folder / path).resolve()
    name = target.relative_to(ROOT).as_posix()
    if target.parent == DOCS:
        return target.name + mark + section
    if name in INCLUDED:
        return INCLUDED[name] + mark + section
    return f"{SOURCE}/{'tree' if target.is_dir() else 'blob'}/main/{name}{mark}{section}"


def _relink(text: str, folder: Path) -> str:
    """Replace relative links, which work at the code host, with links that work on the site.

    A page that is named by its file is named by its title instead, or by that of the section.
    """
    text = re.sub(r"\]\((?!#|[a-z]+:)([^)\s]+)\)", lambda link: f"]({_leads_from(folder, link[1])})", text)
    return re.sub(r"\[(?:docs/)?[\w.-]+\.md\]\((?=[\w.-]+\.md)", "[](", text)


def _list_of_settings() -> str:
    """Return each setting with an anchor, under the headings of its group."""
    parts = []
    # The last base class of Settings is Pydantic's own.
    for group in Settings.__bases__[-2::-1]:
        assert issubclass(group, BaseModel)
        title = str(sys.modules[group.__module__].__doc__).removeprefix("Settings: ").rstrip(".")
        parts.append(f"\n## {title[0].upper()}{title[1:]}\n")
        for name, field in group.model_fields.items():
            default = default_text.of(field.default)
            described = f"{field.description} Default: `{default}`." if default else str(field.description)
            parts.append(_setting(f"OVSEG_{name.upper()}", described))
    parts.append("\n## What the library reads\n")
    parts += [_setting(name, description) for name, description in environment.VARIABLES.items()]
    return "\n".join(parts)


def _setting(name: str, description: str) -> str:
    return f"````{{envvar}} {name}\n{description}\n````"


def _tabs(links: re.Match[str]) -> str:
    tabs = "".join(
        f"""````{{tab-item}} {name}
:sync: {name}
```{{literalinclude}} {path}
:language: {LANGUAGES[Path(path).suffix]}
:caption: {path.removeprefix("../")}
```
````
"""
        for name, path in re.findall(r"\[([^]]+)\]\((\S+)\)", links[0])
    )
    return f"`````{{tab-set}}\n{tabs}`````\n"


def _read(app: Sphinx, docname: str, source: list[str]) -> None:
    if docname in WITH_TABS:
        source[0] = re.sub(r"^\[[^]]+\]\(\.\./(examples|benchmarks)/.*\n", _tabs, source[0], flags=re.MULTILINE)
    source[0] = _relink(source[0], DOCS)
    if docname == "settings":
        source[0] += _list_of_settings()


def _read_included(app: Sphinx, path: Path, parent: str, source: list[str]) -> None:
    source[0] = _relink(source[0], (DOCS / path).resolve().parent)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _read)
    app.connect("include-read", _read_included)
