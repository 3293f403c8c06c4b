"""Each Lua script carries the definitions of the prelude that it uses."""

from __future__ import annotations

import re

import pytest

from worker.store import scripts
from worker.store.keyspace import Keyspace


def test_a_script_has_the_definitions_that_it_uses_also_through_others_and_no_others() -> None:
    written = scripts.sources()["beat"]
    assert re.findall(r"^local (?:function )?(\w+)", written, re.MULTILINE) == [
        *("prefix", "key", "time", "now", "read_job", "is_held", "verdict"),
        *("lease", "stop"),  # its own
    ]


def test_a_definition_that_only_a_comment_or_a_text_names_is_left_out() -> None:
    assert "tries" in (scripts.LUA / "endpoint_delete.lua").read_text()
    assert "function tries(" not in scripts.sources()["endpoint_delete"]
    assert "'queued'" in scripts.sources()["begin"]
    assert "function queued(" not in scripts.sources()["begin"]


def test_the_flags_stay_the_first_line() -> None:
    assert scripts.sources()["finish"].startswith("#!lua flags=allow-oom\nlocal prefix = KEYS[1]\n")
    assert scripts.sources()["accept"].startswith("local prefix = KEYS[1]\n")


@pytest.mark.parametrize("name", sorted(scripts.sources()))
def test_every_script_compiles_and_has_every_function_that_it_calls(name: str, keyspace: Keyspace) -> None:
    source = scripts.sources()[name]
    assert keyspace.redis.script_load(source)
    defined = set(re.findall(r"^local (?:function )?(\w+)", source, re.MULTILINE))
    everything = set(re.findall(r"^local (?:function )?(\w+)", scripts.prelude(), re.MULTILINE))
    called = set(re.findall(r"(?<![\w.:'])(\w+)\(", re.sub(r"--.*", "", source)))
    assert called & everything <= defined
