"""The commands of `ovseg models`. Each command imports what it needs when it runs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ovseg import one_line


@click.group()
def models() -> None:
    """List, fetch, verify, check, export, quantize and remove models."""


@models.command("list")
def list_models() -> None:
    """List every model: whether it is installed, its size, its licence."""
    from ovseg import models as command

    command.list_all()


@models.command("pull")
@click.argument("name")
def pull_model(name: str) -> None:
    """Fetch a model's weights. An interrupted download is resumed."""
    from ovseg import models as command

    with one_line.errors():
        command.pull(name)


@models.command("verify")
@click.argument("names", nargs=-1)
@click.option("--record", is_flag=True, help="Record the weights of NAMES as they are now, if no SHA-256 is published.")
def verify_models(names: tuple[str, ...], record: bool) -> None:
    """Compare installed weights with their published size and SHA-256. Without NAMES, all installed models.

    If no SHA-256 is published, the weights are compared with what `ovseg models pull` or --record recorded.
    """
    from ovseg import models as command

    with one_line.errors():
        sys.exit(command.verify(names, record))


@models.command("check")
@click.argument("name")
@click.option("--device", help="cpu, gpu:N or another kind.  [default: the first GPU, else cpu]")
@click.option("--engine", help="auto, openvino, onnxruntime or paddle.  [default: OVSEG_ENGINE, else auto]")
@click.option("--precision", help="auto, float32, bfloat16, float16 or int8.  [default: OVSEG_PRECISION, else auto]")
@click.option("--all-engines", is_flag=True, help="Check each engine and precision, and whether they agree.")
@click.option(
    "--answers",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of known answers.  [default: those in the package]",
)
@click.option(
    "--record", type=click.Path(dir_okay=False, path_type=Path), help="Write the model's answers to this file."
)
def check_model(
    name: str,
    device: str | None,
    engine: str | None,
    precision: str | None,
    all_engines: bool,
    answers: Path | None,
    record: Path | None,
) -> None:
    """Check that an installed model or detector works: run it on a photo and compare its answers with good ones.

    Prints the time of each step and the memory. Exits with 0 if the answers are good and with 1 if they are not. The
    masks of models without known answers are compared roughly with SAM-Lite's; the boxes of a detector with the places
    of the photo's objects.
    """
    from ovseg.model_check import run as command

    if all_engines and (engine or precision or record):
        raise click.UsageError("--all-engines cannot be combined with --engine, --precision or --record")
    settings = one_line.settings()
    precision = precision or ("float32" if record else settings.precision)
    request = command.Request(name, device, engine or settings.engine, precision, all_engines, answers, record)
    with one_line.errors():
        sys.exit(command.run(request))


@models.command("export")
@click.argument("name")
@click.option("--format", "form", type=click.Choice(["paddlex", "onnx"]), default="paddlex", show_default=True)
@click.option(
    "--prompt_type", type=click.Choice(["box", "point"]), default="box", show_default=True, help="Prompts of a SAM."
)
@click.option(
    "--model_dir", "weights", type=click.Path(path_type=Path), help="A checkpoint to export, instead of NAME's own."
)
@click.option("--save_path", "to", type=click.Path(path_type=Path), required=True, help="The folder to write.")
def export_model(name: str, form: str, prompt_type: str, weights: Path | None, to: Path) -> None:
    """Write a SAM or a detector as a PaddleX inference model, or SAM-Lite as ONNX.

    PaddleX and ovseg can run the first; ONNX Runtime and others the second, without ovseg.
    """
    from ovseg import models as command

    with one_line.errors():
        command.export(name, weights, to, prompt_type, form)


@models.command("quantize")
@click.argument("name")
@click.option(
    "--photos",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="A folder of about 80 photos like those that the model will segment.",
)
def quantize_model(name: str, photos: Path) -> None:
    """Make an int8 image encoder of a model, for CPUs with VNNI.

    The encoder is kept only if its masks of boxes agree with those of float32 (mean IoU of 0.98 or more).
    """
    from ovseg import models as command

    with one_line.errors():
        command.quantize(name, photos)


@models.command("rm")
@click.argument("name")
def remove_model(name: str) -> None:
    """Remove a model's weights."""
    from ovseg import models as command

    with one_line.errors():
        command.remove(name)


@models.command("path")
@click.argument("name", required=False)
def path_of_model(name: str | None) -> None:
    """Print the path of a model's weights, installed or not; without NAME, the folder of all weights."""
    from ovseg import models as command

    with one_line.errors():
        command.path(name)
