"""The files of the playground and the console: what they may load, how they are cached, and that they are all there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from gateway import assets

FILES = sorted(path.relative_to(assets.FOLDER).as_posix() for path in assets.FOLDER.rglob("*") if path.is_file())
# Ways to make a text into HTML or code.
DANGEROUS = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\bsrcdoc\b")


@pytest.mark.parametrize(
    "path", ["/?job=x", "/console", "/console/", "/console/jobs/x?page=2", "/console/no/such/view"]
)
def test_a_page_runs_only_files_of_this_service(asked: FlaskClient, path: str) -> None:
    page = asked.get(path)
    policy = dict(rule.split(" ", 1) for rule in page.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert not {"script-src", "style-src", "connect-src"} & policy.keys()
    assert policy["frame-ancestors"] == policy["object-src"] == policy["trusted-types"] == "'none'"
    assert not re.search(r"<script(?! type=\"module\" src=)|<style|\sstyle=|\son\w+=|https?://\w", page.text)
    linked = re.findall(r'(?:src|href)="/?(assets/[^"]+)"', page.text)
    assert len(linked) >= 5
    for path in linked:
        assert asked.get(f"/{path}").status_code == 200, path


def test_every_module_imports_only_files_that_exist() -> None:
    for name in FILES:
        source = (assets.FOLDER / name).read_text()
        for path in re.findall(r'^(?:import|} from|import .* from) "([^"]+)"', source, re.MULTILINE):
            assert path.startswith("."), (name, path)
            assert ((assets.FOLDER / name).parent / path).resolve().is_file(), (name, path)
        assert name.endswith(".html") or not re.search(r"https?://(?!www\.w3\.org/2000/svg)\w", source), name


def test_no_module_makes_html_of_a_text() -> None:
    for name in FILES:
        assert not DANGEROUS.search((assets.FOLDER / name).read_text()), name


@pytest.mark.parametrize("name", ["playground.js", "page/page.css", "mark.svg", "photo.jpg"])
def test_a_file_is_sent_again_only_after_it_has_changed(asked: FlaskClient, name: str) -> None:
    first = asked.get(f"/assets/{name}")
    assert first.status_code == 200
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    again = asked.get(f"/assets/{name}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("name", ["../home.py", "%2e%2e/home.py", "page/../../home.py", "page", "x.js", "/etc/passwd"])
def test_other_files_are_not_sent(asked: FlaskClient, name: str) -> None:
    assert asked.get(f"/assets/{name}").status_code == 404


def test_the_files_are_small_enough_to_be_read() -> None:
    lengths = {name: len((assets.FOLDER / name).read_text().splitlines()) for name in FILES}
    assert {name: length for name, length in lengths.items() if length > 350} == {}


def test_the_photo_is_that_of_the_demo(asked: FlaskClient) -> None:
    assert (
        asked.get("/assets/photo.jpg").data == (Path(__file__).parents[2] / "ovseg/photos/astronaut.jpg").read_bytes()
    )
