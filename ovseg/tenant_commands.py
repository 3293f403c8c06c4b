"""`ovseg tenants`: the tenants of a service."""

from __future__ import annotations

import click

from ovseg import access


@click.group()
def tenants() -> None:
    """List, change and erase tenants, and show what they use. `ovseg keys create --tenant NAME` makes one."""


@tenants.command("list")
def list_tenants() -> None:
    """List all tenants, oldest first, with the number of their live keys. `default` always exists."""
    from datetime import UTC, datetime

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
@click.option("--queued-jobs", metavar="N", callback=access.number, help="Maximum number of queued jobs.")
@click.option(
    "--stored-bytes", metavar="N", callback=access.number, help="Maximum size of its images, requests and results."
)
@click.option(
    "--weight", metavar="N", callback=access.number, help="Its share of the workers, up to 1,000; that of others is 1."
)
def change(name: str, queued_jobs: int | None, stored_bytes: int | None, weight: int | None) -> None:
    """Give a tenant limits of its own, or more of the workers than others.

    N may be `default`: then OVSEG_MAX_QUEUED_JOBS_PER_TENANT and OVSEG_MAX_STORED_BYTES_PER_TENANT decide, as they do
    for the tenant default, and the weight is 1.
    """
    from worker.access.tenant_limits import MAX_WEIGHT
    from worker.access.tenants import Tenants

    fields = {"max_queued_jobs": queued_jobs, "max_stored_bytes": stored_bytes, "weight": weight}
    given = {field: value or None for field, value in fields.items() if value is not None}
    if not given:
        raise click.UsageError("name what to change: --queued-jobs, --stored-bytes, --weight")
    if (weight or 0) > MAX_WEIGHT:
        raise click.UsageError(f"--weight is at most {MAX_WEIGHT:,}")
    written = ", ".join(f"{field} {value or 'default'}" for field, value in given.items())
    with access.opened() as (keyspace, settings):
        if not Tenants(keyspace, settings).change(name, given):
            raise ValueError(f"there is no tenant {name!r} that can be changed")
        access.audit(f"changed tenant {name}: {written}")
    click.echo(f"{name}: {written}")


@tenants.command()
@click.argument("names", nargs=-1)
@click.option("--days", type=click.IntRange(1, 90), default=30, show_default=True, help="Up to today, in UTC.")
def usage(names: tuple[str, ...], days: int) -> None:
    """Show what tenants have used, by default all of them: jobs by final status, prompts, and time of the networks."""
    from dataclasses import asdict
    from datetime import timedelta

    from worker.access.tenants import Tenants
    from worker.job import usage
    from worker.store.tenant import DEFAULT

    with access.opened() as (keyspace, settings):
        known = [DEFAULT, *Tenants(keyspace, settings).names()]
        if unknown := set(names).difference(known):
            raise ValueError(f"there is no tenant {min(unknown)!r}")
        last = usage.today()
        first = last - timedelta(days=days - 1)
        found = [usage.read(keyspace, name, first, last) for name in names or known]
    for each in found:
        counts = asdict(each.total)
        seconds = counts.pop("network_ms") / 1000
        used = "  ".join(f"{count} {what}" for what, count in counts.items())
        now = f"{each.queued_jobs} queued, {each.running_jobs} running, {each.stored_bytes} bytes stored"
        click.echo(f"{each.tenant}  since {first}: {used}  {seconds:.1f} s of networks; now {now}")


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
