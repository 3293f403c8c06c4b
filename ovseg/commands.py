"""The commands of `ovseg`. Each command imports what it needs when it runs, so that `ovseg --help` answers fast."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click
from platformdirs import user_data_path

from configs import default_text, webhook_secret, webhook_signing_key
from configs.settings import Settings
from ovseg import one_line
from ovseg.client_commands import batch, jobs, submit, watch
from ovseg.key_commands import keys
from ovseg.model_commands import models
from ovseg.tenant_commands import tenants
from ovseg_core import environment
from ovseg_core.family import EVERYTHING


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(package_name="ovseg")
@click.option("--pipeline", help="open_vocabulary_segmentation, open_vocabulary_detection, or the path of a YAML file.")
@click.option("--input", "given", help="An image, a PDF, a folder or a URL to segment.")
@click.option(
    "--prompt",
    help="Boxes [[x0,y0,x1,y1],...] or points [[x,y],...] in pixels; one object each. For everything: nothing, or "
    'options such as {"points_per_side":16}. For text and open_vocabulary_detection: "bus . walking man .".',
)
@click.option(
    "--prompt_type",
    type=click.Choice(["box", "point", "everything", "text"]),
    default="box",
    show_default=True,
    help="What --prompt lists; everything finds all objects.",
)
@click.option("--thresholds", help="Of a detector: {'text_threshold': 0.25, 'box_threshold': 0.3}.")
@click.option("--save_path", help="The folder to write pictures and JSON to.")
@click.option("--device", help="cpu, gpu:N, npu:N, xpu:N, mlu:N, dcu:N or gcu:N.  [default: the first GPU, else cpu]")
@click.option("--model", help="A model of `ovseg models list`, instead of the pipeline's own models.")
@click.option("--detector", help="A detector of `ovseg models list`.  [default: GroundingDINO-T]")
@click.option("--engine", help="auto, openvino, onnxruntime or paddle.  [default: OVSEG_ENGINE, else auto]")
@click.option("--use_hpip", is_flag=True, help="Compute in bfloat16 if the CPU supports it.")
@click.option("--get_pipeline_config", "config_of", help="Write the YAML file of this pipeline into --save_path.")
@click.pass_context
def main(
    context: click.Context,
    pipeline: str | None,
    given: str | None,
    prompt: str | None,
    prompt_type: str,
    thresholds: str | None,
    save_path: str | None,
    device: str | None,
    model: str | None,
    detector: str | None,
    engine: str | None,
    use_hpip: bool,
    config_of: str | None,
) -> None:
    """Promptable image segmentation as a service: Segment Anything behind HTTP, Redis, Celery and S3.

    With --pipeline, ovseg segments files without a service, like PaddleX's command line. The commands below run the
    service. Settings are environment variables named OVSEG_<NAME>; `ovseg settings` lists them.
    """
    if context.invoked_subcommand is not None:
        return
    if pipeline is None and config_of is None:
        click.echo(context.get_help())
        return
    from ovseg import predict

    with one_line.errors():
        if config_of is not None:
            predict.write_config(config_of, save_path)
            return
        if pipeline is None or given is None or (prompt is None and prompt_type != EVERYTHING):
            raise ValueError("--pipeline needs --input and --prompt")
        engine = engine or one_line.settings().engine
        given_options = (prompt, prompt_type, thresholds, save_path, device, model, detector, engine, use_hpip)
        predict.run(predict.Request(pipeline, given, *given_options))


@main.command()
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder for all data.  [default: OVSEG_DATA_DIR]")
@click.option("--port", type=click.IntRange(0, 65535), help="0: any free port.  [default: OVSEG_GATEWAY_PORT]")
@click.option("--host", help="Address to listen on.  [default: OVSEG_GATEWAY_HOST]")
@click.option("--device", help="The worker's device: cpu or gpu:N.  [default: OVSEG_DEVICE]")
def up(data_dir: Path | None, port: int | None, host: str | None, device: str | None) -> None:
    """Run the whole service on this machine until Ctrl-C.

    This starts Valkey unless OVSEG_REDIS_URL is set, and SeaweedFS unless OVSEG_S3_ENDPOINT_URL or OVSEG_S3_BUCKET is.
    """
    from gateway import auth
    from ovseg import up as command
    from ovseg.stack import Plan, free_port

    settings = one_line.settings()
    host = host or settings.gateway_host
    port = settings.gateway_port if port is None else port
    folder = data_dir or settings.data_dir or user_data_path("ovseg")
    folder = folder.expanduser().resolve()
    with one_line.errors():
        auth.is_required(settings.model_copy(update={"gateway_host": host}))
        port = port or free_port(host)
    _exit_with(command.run(Plan(folder, host, port, device or settings.device, settings)))


@main.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default="output",
    show_default=True,
    help="The folder to write the pictures to.",
)
def demo(output: Path) -> None:
    """Start the service, segment a photo with it, write the pictures, stop everything."""
    from gateway import auth
    from ovseg import demo as command

    settings = one_line.settings()
    with one_line.errors():
        auth.is_required(settings)
    _exit_with(command.run(output, settings))


@main.command()
def gateway() -> None:
    """Run the gateway, which serves the HTTP API."""
    from gateway import auth
    from ovseg.serve import Server
    from worker.store.storage import Storage

    _log()
    settings = one_line.settings()
    with one_line.errors():
        auth.is_required(settings)
        Storage(settings)  # reports a wrong configuration in one line; gunicorn's processes would print a traceback
    Server(settings).run()


@main.command()
@click.option("--device", help="cpu or gpu:N; the device decides the queue.  [default: OVSEG_DEVICE]")
def worker(device: str | None) -> None:
    """Run a worker, which takes jobs from the queue, segments their images and stores the results."""
    from worker import run

    _log()
    settings = one_line.settings()
    with one_line.errors():
        run.segmenting(settings, device or settings.device)


@main.command()
def webhooks() -> None:
    """Run a sender, which delivers webhooks."""
    from worker import run

    _log()
    with one_line.errors():
        run.sending(one_line.settings())


@main.command()
def reaper() -> None:
    """Run a reaper, which requeues the jobs of dead workers. Several may run."""
    from worker import run

    _log()
    with one_line.errors():
        run.reaping(one_line.settings())


@main.command()
@click.argument("part", type=click.Choice(["gateway", "worker", "webhooks", "reaper"]))
def health(part: str) -> None:
    """Check whether the processes of PART work on this host, for container probes.

    Prints one line. Exits with 0 if they work and with 1 if they do not.
    """
    from ovseg import health as command

    try:
        click.echo(command.check(part, one_line.settings()))
    except command.Unhealthy as unhealthy:
        raise click.ClickException(str(unhealthy)) from None


@main.command()
@click.argument("names", nargs=-1)
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(1), help="Runs per measured time.")
def engines(names: tuple[str, ...], repeats: int) -> None:
    """Measure each engine that can run a model on this machine, and mark the default.

    NAMES are models; without NAMES, all installed models are measured.
    """
    from ovseg import engines as command

    with one_line.errors():
        command.show(names, repeats)


@main.command()
@click.option(
    "--tell-since",
    default=1.0,
    show_default=True,
    help="Hours. Send the webhooks of jobs that ended within this time again.",
)
def recover(tell_since: float) -> None:
    """Restore jobs that Redis lost, from object storage. It is safe to run this twice."""
    from ovseg import recover as command

    _log()
    command.run(tell_since * 3600)


main.add_command(models)
main.add_command(keys)
main.add_command(tenants)
for command in (submit, jobs, batch, watch):
    main.add_command(command)


@main.command()
def openapi() -> None:
    """Print the OpenAPI document of the HTTP API, which the gateway serves at /openapi.json."""
    import json

    from gateway import create_app
    from gateway.openapi import document

    settings = one_line.settings().model_copy(update={"auth": "off"})  # the document is the same for all settings
    click.echo(json.dumps(document.build(create_app(settings)), indent=1))


@main.command("webhook-secret")
def new_webhook_secret() -> None:
    """Print a new secret for OVSEG_WEBHOOK_SECRET."""
    click.echo(webhook_secret.new())


@main.command("webhook-signing-key")
def new_webhook_signing_key() -> None:
    """Print a new private key for OVSEG_WEBHOOK_SIGNING_KEY."""
    click.echo(webhook_signing_key.new())


@main.command("settings")
def list_settings() -> None:
    """List every setting with its default and its description."""
    for name, field in Settings.model_fields.items():
        _show(f"OVSEG_{name.upper()} = {default_text.of(field.default) or '(unset)'}", str(field.description))
    click.echo("\nThe library reads these variables, with or without the service:\n")
    for name, reason in environment.VARIABLES.items():
        _show(name, reason)


def _show(setting: str, reason: str) -> None:
    click.echo(setting)
    click.echo(click.wrap_text(reason, 100, "    ", "    "))


def _log() -> None:
    from ovseg import log

    log.set_up()


def _exit_with(code: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command has finished: a Ctrl-C would only print a traceback
    sys.exit(code)
