"""`ovseg submit`, `jobs`, `batch` and `watch`: commands that call a running service with its Python client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

import click

from ovseg import log

if TYPE_CHECKING:
    from ovseg_client import Batch, Client, Event, Outcome

STATUSES = ("queued", "running", "succeeded", "failed", "canceled", "expired")
OF_SERVICE = click.option(
    "--url", envvar="OVSEG_URL", help="Of the service.  [default: OVSEG_URL, else http://127.0.0.1:8080]"
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the objects of the HTTP API, one on each line.")
KEY_NOTE = "If the service requires API keys, the key is read from OVSEG_API_KEY."


def _numbers(*counts: int) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], list[list[float]]]:
    """Return a callback of click that reads texts of so many numbers with commas between them."""

    def read(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> list[list[float]]:
        found = []
        for text in texts:
            try:
                found.append([float(number) for number in text.split(",")])
            except ValueError:
                found.append([])
            if len(found[-1]) not in counts:
                raise click.BadParameter(f"{text!r} is not {' or '.join(map(str, counts))} numbers with commas")
        return found

    return read


@click.command(epilog=KEY_NOTE)
@click.argument("images", nargs=-1, required=True)
@OF_SERVICE
@click.option("--box", "boxes", multiple=True, callback=_numbers(4), help="x0,y0,x1,y1: one object. May be repeated.")
@click.option(
    "--point",
    "points",
    multiple=True,
    callback=_numbers(2, 3),
    help="x,y or x,y,label: a click on an object, or off it (label 0). All points are of one object. May be repeated.",
)
@click.option("--text", "texts", multiple=True, help="A phrase: every object that it names. May be repeated.")
@click.option("--everything", is_flag=True, help="All objects.")
@click.option("--model", help="A model of the service.")
@click.option("--outputs", help="rle, png, polygons, overlay, with commas.  [default: rle,overlay]")
@click.option("--no-wait", is_flag=True, help="Print the ids of the jobs, and do not wait for their ends.")
@click.option("--concurrency", default=8, show_default=True, type=click.IntRange(1), help="Jobs at a time.")
@click.option("--resume", type=click.Path(dir_okay=False), help="A file with which a killed command continues.")
@AS_JSON
def submit(
    images: tuple[str, ...],
    url: str | None,
    boxes: list[list[float]],
    points: list[list[float]],
    texts: tuple[str, ...],
    everything: bool,
    model: str | None,
    outputs: str | None,
    no_wait: bool,
    concurrency: int,
    resume: str | None,
    as_json: bool,
) -> None:
    """Segment IMAGES, which are paths or URLs, with a running service.

    Prints a line for each image, in their order. Exits with 1 if one of them failed.
    """
    arguments: dict[str, Any] = {"everything": everything}
    if boxes:
        arguments["boxes"] = list(boxes)
    if points:
        arguments["points"] = [point[:2] for point in points]
        arguments["labels"] = [int(point[2]) if len(point) > 2 else 1 for point in points]
    if texts:
        arguments["prompts"] = [{"text": text} for text in texts]
    if model is not None:
        arguments["model"] = model
    if outputs is not None:
        arguments["outputs"] = outputs.split(",")
    with _client(url) as client:
        if no_wait:
            for image in images:
                click.echo(client.submit(image, **arguments).id)
            return
        _show_outcomes(client.map(images, concurrency=concurrency, resume=resume, **arguments), as_json)


def _show_outcomes(outcomes: Iterable[Outcome], as_json: bool) -> None:
    failed = 0
    for outcome in outcomes:
        image = log.escape(str(outcome.image))
        if outcome.result is None:
            failed += 1
            click.echo(f"{image}: {log.escape(str(outcome.error))}", err=True)
        elif as_json:
            click.echo(json.dumps(outcome.result.raw))
        else:
            scores = ", ".join(f"{mask.label} {mask.score:.2f}" for mask in outcome.result)
            click.echo(f"{image}: job {outcome.result.job_id}, masks: {log.escape(scores) or 'none'}")
    if failed:
        raise click.ClickException(f"{failed} of the images failed")


@click.group(epilog=KEY_NOTE)
def jobs() -> None:
    """List, show, cancel and delete jobs of a running service, and get their files."""


@jobs.command("list")
@OF_SERVICE
@click.option("--status", type=click.Choice(STATUSES), help="Only jobs with this status.")
@click.option("--batch", help="Only jobs of this batch.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="At most so many, newest first.")
@AS_JSON
def list_jobs(url: str | None, limit: int, as_json: bool, **conditions: str | None) -> None:
    """List jobs, newest first."""
    with _client(url) as client:
        found = client.jobs(**{name: value for name, value in conditions.items() if value is not None})
        for _, job in zip(range(limit), found, strict=False):
            line = (job.id, job.status, job.raw["model"], job.raw["accepted_at"])
            click.echo(json.dumps(job.raw) if as_json else log.escape("  ".join(line)))


@jobs.command()
@click.argument("job_id")
@OF_SERVICE
def show(job_id: str, url: str | None) -> None:
    """Print a job with its result, as JSON."""
    with _client(url) as client:
        click.echo(json.dumps(client.job(job_id).raw, indent=1))


@jobs.command()
@click.argument("job_id")
@click.argument("name", default="overlay.jpg")
@OF_SERVICE
@click.option("--output", "-o", default="-", type=click.File("wb", lazy=True), help="The file to write.  [default: -]")
def file(job_id: str, name: str, url: str | None, output: IO[bytes]) -> None:
    """Write a file of a job: overlay.jpg, masks/0000.png, result.json, image, or preview."""
    with _client(url) as client:
        output.write(client.file(job_id, name))


@jobs.command()
@click.argument("job_ids", nargs=-1, required=True)
@OF_SERVICE
def cancel(job_ids: tuple[str, ...], url: str | None) -> None:
    """Cancel jobs. A running job stops soon."""
    with _client(url) as client:
        for job_id in job_ids:
            job = client.job(job_id)
            job.cancel()
            click.echo(f"{job.id}  {job.status}")


@jobs.command()
@click.argument("job_ids", nargs=-1, required=True)
@OF_SERVICE
def delete(job_ids: tuple[str, ...], url: str | None) -> None:
    """Erase jobs that do not run, with their files."""
    with _client(url) as client:
        for job_id in job_ids:
            client.job(job_id).delete()
            click.echo(f"{job_id}  deleted")


@click.group(epilog=KEY_NOTE)
def batch() -> None:
    """Submit batches to a running service, and read their results."""


@batch.command("submit")
@click.argument("manifest", type=click.File("rb"))
@OF_SERVICE
@click.option("--id", "batch_id", help="An id of your own: sent again, the manifest adds only what is new.")
@click.option("--wait", is_flag=True, help="Wait until all items have ended.")
def submit_batch(manifest: IO[bytes], url: str | None, batch_id: str | None, wait: bool) -> None:
    """Submit MANIFEST, a file of JSON lines: an item in each, and optionally the defaults in the first.

    Prints the id of the batch, and what is wrong with single items.
    """
    with _client(url) as client:
        items = _lines(manifest)
        first = next(items, {})
        is_head = bool(first) and first.keys() <= {"defaults", "webhook"}
        head = first if is_head else {}
        made = client.batches.create(items if is_head else chain([first], items), id=batch_id, **head)
        for error in made.errors:
            click.echo(log.escape(f"item {error['line']} ({error['id']}): {error['message']}"), err=True)
        if wait:
            made.wait()
        _show_batch(made)


@batch.command()
@click.argument("batch_id")
@OF_SERVICE
def status(batch_id: str, url: str | None) -> None:
    """Print the status of a batch, and how many of its items have which."""
    with _client(url) as client:
        _show_batch(client.batches.get(batch_id))


@batch.command()
@click.argument("batch_id")
@OF_SERVICE
@click.option("--coco", is_flag=True, help="One data set in COCO's format instead of JSON lines.")
def results(batch_id: str, url: str | None, coco: bool) -> None:
    """Print a line of JSON for each item, in the order of the manifest."""
    with _client(url) as client:
        found = client.batches.get(batch_id)
        if coco:
            click.echo(json.dumps(found.coco()))
        else:
            for item in found.results():
                click.echo(json.dumps(item.raw))


@batch.command("cancel")
@click.argument("batch_id")
@OF_SERVICE
def cancel_batch(batch_id: str, url: str | None) -> None:
    """Cancel all items of a batch that have not ended."""
    with _client(url) as client:
        found = client.batches.get(batch_id)
        found.cancel()
        _show_batch(found)


@batch.command()
@click.argument("batch_id")
@OF_SERVICE
def retry(batch_id: str, url: str | None) -> None:
    """Run the items that failed, expired or were canceled again, as a new batch. Prints its id."""
    with _client(url) as client:
        _show_batch(client.batches.retry(batch_id))


def _show_batch(shown: Batch) -> None:
    counts = ", ".join(f"{name} {count:,}" for name, count in shown.counts.items() if count)
    click.echo(f"{shown.id}  {shown.status}  {counts}")


@click.command(epilog=KEY_NOTE)
@click.argument("job_id", required=False)
@OF_SERVICE
@click.option("--batch", "batch_id", help="Watch this batch until it has ended.")
@AS_JSON
def watch(job_id: str | None, url: str | None, batch_id: str | None, as_json: bool) -> None:
    """Print what happens, while it happens: to a job until it has ended; without JOB_ID, to all jobs until Ctrl-C."""
    with _client(url) as client:
        of = client.job(job_id) if job_id else client.batches.get(batch_id) if batch_id else None
        for event in client.events(of):
            click.echo(json.dumps({"type": event.type, "data": event.data}) if as_json else _line_of(event))


def _line_of(event: Event) -> str:
    data = event.data
    progress = data.get("progress") or (data if "total" in data else None)
    counted = f"  {progress['done']:,} of {progress['total']:,}" if progress else ""
    return log.escape(f"{event.timestamp}  {data.get('id', '')}  {event.type}{counted}")


def _lines(manifest: IO[bytes]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(manifest, 1):
        if line.strip():
            try:
                fields = json.loads(line)
            except ValueError:
                fields = None
            if not isinstance(fields, dict):
                raise ValueError(f"line {number} of the manifest is no JSON object")
            yield fields


@contextmanager
def _client(url: str | None) -> Iterator[Client]:
    """Yield a client. Reports errors in one line."""
    try:
        import ovseg_client
    except ImportError:
        message = "this command needs the Python client: pip install clients/python, in a checkout of ovseg"
        raise click.ClickException(message) from None
    try:
        with ovseg_client.Client(url) as client:
            yield client
    except (ovseg_client.OvsegError, ValueError, OSError, ImportError) as error:
        raise click.ClickException(log.escape(str(error))) from error
