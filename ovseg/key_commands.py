"""`ovseg keys`: the API keys of a service. These commands need only its Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from ovseg import access, log, one_line

if TYPE_CHECKING:
    from worker.access.keys import Keys

SCOPES = ("jobs:write", "jobs:read", "webhooks")


@click.group()
def keys() -> None:
    """Make, list, change, rotate and revoke API keys.

    OVSEG_REDIS_URL names the Redis of the service. Without it, the commands use the Valkey of `ovseg up` on this
    machine (OVSEG_DATA_DIR).
    """


@keys.command()
@click.option("--tenant", "owner", default="default", show_default=True, help="A new name makes a new tenant.")
@click.option("--name", default="", help="A note: who uses the key, and for what.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="May be repeated.  [default: all]")
@click.option("--admin", is_flag=True, help="A key that may do everything, also make keys.")
@click.option("--days", type=click.IntRange(1), help="The key expires after this time.  [default: never]")
@click.option("--requests-per-minute", type=click.IntRange(1), help="[default: OVSEG_REQUESTS_PER_MINUTE]")
@click.option("--prompts-per-minute", type=click.IntRange(1), help="[default: OVSEG_PROMPTS_PER_MINUTE]")
def create(
    owner: str, name: str, scopes: tuple[str, ...], admin: bool, days: int | None, **per_minute: int | None
) -> None:
    """Make a key and print it. It cannot be printed again."""
    from worker.access.rates import Rates
    from worker.access.scope import ORDINARY, Scope
    from worker.store import tenant

    if not tenant.NAME.fullmatch(owner):
        raise click.UsageError("--tenant is 1 to 32 letters a to z, digits and -, not at its ends")
    if admin and owner != tenant.DEFAULT:
        raise click.UsageError("--admin is only for the tenant default: an admin manages the keys of all tenants")
    if admin and scopes:
        raise click.UsageError("--admin has every scope; leave --scope out")
    chosen = [Scope.ADMIN] if admin else [scope for scope in Scope if scope in (scopes or ORDINARY)]
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    with _opened() as opened:
        text = opened.create(name, chosen, expires_at, owner, Rates(**per_minute))
        access.audit(f"created key {text.id} of tenant {owner} ({' '.join(chosen)})")
    click.echo(text)


@keys.command("list")
def list_keys() -> None:
    """List all keys, oldest first, without their secrets."""
    from worker.store.clock import timestamp

    with _opened() as opened:
        rows = [
            (
                key.id,
                key.tenant,
                key.status(datetime.now(UTC)),
                " ".join(key.scopes),
                timestamp(key.expires_at) or "never expires",
                f"used {timestamp(key.last_used_at)}" if key.last_used_at else "never used",
                *(f"{name} {number}" for name, number in key.rates.to_record().items()),
                log.escape(key.name),  # an admin may have sent it over HTTP
            )
            for key in opened.list()
        ]
    for row in rows:
        click.echo("  ".join(row).rstrip())


@keys.command()
@click.argument("key_id")
@click.option("--requests-per-minute", metavar="N", callback=access.number, help="Maximum number of its requests.")
@click.option("--prompts-per-minute", metavar="N", callback=access.number, help="Maximum number of its prompts.")
def change(key_id: str, **per_minute: int | None) -> None:
    """Change the limits of a key. N may be `default`: then OVSEG_REQUESTS_PER_MINUTE or ..._PROMPTS_PER_MINUTE decides.

    Every gateway applies them within a second.
    """
    from worker.access.rates import MAXIMUM

    given = {name: number or None for name, number in per_minute.items() if number is not None}
    if not given:
        raise click.UsageError("name what to change: --requests-per-minute, --prompts-per-minute")
    if any((number or 0) > MAXIMUM for number in given.values()):
        raise click.UsageError(f"a limit is at most {MAXIMUM:,}")
    written = ", ".join(f"{name} {number or 'default'}" for name, number in given.items())
    with _opened() as opened:
        if not opened.change(key_id, given):
            raise ValueError(f"there is no key {key_id!r}")
        access.audit(f"changed key {key_id}: {written}")
    click.echo(f"{key_id}: {written}")


@keys.command()
@click.argument("key_id")
def rotate(key_id: str) -> None:
    """Give a key a new secret and print the new key. The old one also works for OVSEG_OLD_KEY_SECONDS."""
    with _opened() as opened:
        text = opened.rotate(key_id, one_line.settings().old_key_seconds)
        if text is None:
            raise ValueError(f"there is no key {key_id!r}, or it is revoked")
        access.audit(f"rotated key {key_id}")
    click.echo(text)


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke a key for good. Every gateway refuses it within a second."""
    with _opened() as opened:
        if not opened.revoke(key_id):
            raise ValueError(f"there is no key {key_id!r}")
        access.audit(f"revoked key {key_id}")
    click.echo(f"{key_id} is revoked")


@contextmanager
def _opened() -> Iterator[Keys]:
    """Yield the keys of the service. Reports errors in one line."""
    from worker.access.keys import Keys

    with access.opened() as (keyspace, _):
        yield Keys(keyspace)
