"""What the commands share that work on the service's Redis, such as `ovseg keys`: opening it, and the audit line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ovseg import one_line

if TYPE_CHECKING:
    from configs.settings import Settings
    from worker.store.keyspace import Keyspace


@contextmanager
def opened() -> Iterator[tuple[Keyspace, Settings]]:
    """Yield the Redis of the service and its settings. Reports expected errors in one line."""
    from botocore.exceptions import BotoCoreError, ClientError
    from redis import RedisError

    from ovseg import local_servers
    from worker.store.keyspace import Keyspace

    with one_line.errors():
        settings = local_servers.settings()
        try:
            with Keyspace.open(settings) as keyspace:
                yield keyspace, settings
        except RedisError as error:
            raise OSError(f"Redis is unreachable: {error}") from error
        except (BotoCoreError, ClientError) as error:
            raise OSError(f"object storage is unreachable: {error}") from error


def audit(act: str) -> None:
    """Write the audit line of an act to stderr, because stdout has what the command prints."""
    click.echo(f"audit: by user {os.getuid()} at the command line: {act}", err=True)


def number(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Return a number from 1 on; 0 for `default`; None if the option is not given."""
    if value is None or value == "default":
        return None if value is None else 0
    if not re.fullmatch("[1-9][0-9]{0,14}", value):
        raise click.BadParameter(f"{value!r} is not a number from 1 on, and not `default`")
    return int(value)
