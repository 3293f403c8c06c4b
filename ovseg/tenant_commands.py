"""`ovseg tenants`: the tenants of a service."""

from __future__ import annotations

import click


@click.group()
def tenants() -> None:
    """List and erase tenants. `ovseg keys create --tenant NAME` makes one."""


@tenants.command("list")
def list_tenants() -> None:
    """List all tenants, oldest first, with the number of their live keys. `default` always exists."""
    from datetime import UTC, datetime

    from ovseg import access
    from worker.access.keys import Keys
    from worker.access.tenants import Tenants
    from worker.store.clock import timestamp
    from worker.store.tenant import DEFAULT

    with access.opened() as (keyspace, settings):
        live = [key.tenant for key in Keys(keyspace).list() if key.status(datetime.now(UTC)) == "live"]
        made = [(each.name, timestamp(each.created_at)) for each in Tenants(keyspace, settings).list()]
    for name, since in [(DEFAULT, "always"), *made]:
        click.echo(f"{name}  since {since}  {live.count(name)} live keys")


@tenants.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(name: str, yes: bool) -> None:
    """Erase a tenant for good: its keys, endpoints, jobs and files.

    This needs Redis and object storage. Running jobs are canceled first. If it is interrupted, run it again.
    """
    from ovseg import access, local_servers
    from worker import tenant_erasure
    from worker.services import Services
    from worker.store.tenant import DEFAULT

    if name == DEFAULT:
        raise click.UsageError("the tenant default cannot be erased; delete its jobs instead")
    with access.opened() as (_, settings):
        services = Services(local_servers.with_storage(settings))
        if services.tenants.get(name) is None:
            raise ValueError(f"there is no tenant {name!r}")
        if not yes:
            click.confirm(f"Erase the tenant {name} with all its jobs?", abort=True)
        try:
            count = tenant_erasure.erase(services, name)
        except tenant_erasure.StillRunning as reason:
            raise ValueError(str(reason)) from None
        access.audit(f"erased tenant {name}, {count} jobs")
    click.echo(f"{name} is erased: {count} jobs")
