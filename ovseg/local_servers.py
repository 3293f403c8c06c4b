"""The servers that a command uses: those of the settings, or those that `ovseg up` runs on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

from configs.settings import Settings
from ovseg import one_line
from ovseg.embedded import seaweedfs, valkey


def settings() -> Settings:
    """Return the settings. If they name no Redis and `ovseg up` has a Valkey in its data folder, they name that one."""
    given = one_line.settings()
    folder = _folder(given) / "valkey"
    if "redis_url" in given.model_fields_set or not folder.exists():
        return given
    return given.model_copy(update={"redis_url": valkey.url(folder)})


def with_storage(given: Settings) -> Settings:
    """Return settings that name the SeaweedFS of `ovseg up`, if they name no storage and its data folder has one.

    Its credentials are set in this process's environment, where boto3 looks for them.
    """
    folder = _folder(given) / "seaweedfs"
    if given.model_fields_set & {"s3_endpoint_url", "s3_bucket"} or not seaweedfs.is_in(folder):
        return given
    endpoint_url, credentials = seaweedfs.address(folder)
    os.environ.update(credentials)
    return given.model_copy(update={"s3_endpoint_url": endpoint_url, "s3_bucket": seaweedfs.BUCKET})


def _folder(given: Settings) -> Path:
    return (given.data_dir or user_data_path("ovseg")).expanduser().resolve()
