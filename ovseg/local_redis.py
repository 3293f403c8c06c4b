"""The Redis that a command uses: the one of the settings, or the Valkey that `ovseg up` runs on this machine."""

from __future__ import annotations

from platformdirs import user_data_path

from configs.settings import Settings
from ovseg import one_line
from ovseg.embedded import valkey


def settings() -> Settings:
    """Return the settings. If they name no Redis and `ovseg up` has a Valkey in its data folder, they name that one."""
    given = one_line.settings()
    folder = (given.data_dir or user_data_path("ovseg")).expanduser().resolve() / "valkey"
    if "redis_url" in given.model_fields_set or not folder.exists():
        return given
    return given.model_copy(update={"redis_url": valkey.url(folder)})
