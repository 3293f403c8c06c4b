"""`ovseg models`: the known models and detectors, and their weights on this machine.

A mistake of the caller raises ValueError.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from ovseg_core import environment, extras, models
from ovseg_core.errors import OvsegError
from ovseg_core.family import ALL_KINDS
from ovseg_core.models import ModelSpec, Published, record
from ovseg_core.models import pull as download
from ovseg_core.models import verify as verifying

MEGABYTE = 1_000_000


def list_all() -> None:
    specs: list[Published] = [*models.all_models().values(), *models.all_detectors().values()]
    width = max(len(spec.name) for spec in specs)
    for spec in specs:
        size = spec.installed_bytes or spec.size
        megabytes = f"{size / MEGABYTE:,.0f} MB" if size else ""
        state = "bundled" if spec.is_bundled else "installed" if spec.is_installed else "not installed"
        takes = spec.takes if isinstance(spec, ModelSpec) else frozenset({"text"})
        only = "" if takes == ALL_KINDS else f"   takes only {' or '.join(sorted(takes))}"
        click.echo(f"{spec.name:<{width}}  {state:<14} {megabytes:>9}   {spec.licence}{only}")


def pull(name: str) -> None:
    try:
        path = download.pull(_found_anywhere(name), say=lambda line: click.echo(line, err=True))
    except download.PullFailed as error:
        raise ValueError(str(error)) from None
    click.echo(path)


def verify(names: tuple[str, ...], is_to_record: bool) -> int:
    """Print whether each model's weights are as published or as recorded. Return the exit code: 1 if any are not.

    With `is_to_record`, record the named models as they are now.
    """
    if is_to_record and not names:
        raise ValueError("--record needs the names of the models to record")
    known = [*models.all_models().values(), *models.all_detectors().values()]
    wanted = [_found_anywhere(name) for name in names] or [spec for spec in known if spec.is_installed]
    verdicts = {}
    for spec in wanted:
        verdicts[spec.name] = verifying.record_now(spec) if is_to_record else verifying.verify(spec)
        click.echo(f"{spec.name}: {verdicts[spec.name].text}")
    return int(any(verdict.is_wrong for verdict in verdicts.values()))


def remove(name: str) -> None:
    from ovseg_core.engines import int8

    spec = _found_anywhere(name)
    if spec.is_bundled:
        raise ValueError(f"{name} is part of the package and cannot be removed")
    if not spec.is_installed:
        raise ValueError(f"{name} is not installed")
    shutil.rmtree(spec.weights) if spec.is_folder else spec.weights.unlink()
    for other in (*int8.files(spec.weights), record.path(spec.weights)):
        other.unlink(missing_ok=True)
    click.echo(f"removed {spec.weights}")


def path(name: str | None) -> None:
    click.echo(_found_anywhere(name).weights if name else environment.models_dir())


def export(name: str, weights: Path | None, to: Path, prompt_type: str, form: str) -> None:
    """Write a model in a form, "paddlex" or "onnx", to the folder `to`.

    Raises:
        ValueError: The model is unknown, it has no such form, or its weights are not installed.
    """
    spec = _found_anywhere(name)
    weights = weights or spec.weights
    write = _exporter(spec, form, prompt_type)
    if write is None:
        raise ValueError(f"{name} cannot be exported; {_exportable(form)}")
    if not weights.is_file():
        raise ValueError(f"{weights} does not exist; run `ovseg models pull {name}`, or give --model_dir")
    click.echo(f"writing {spec.name} to {to}", err=True)
    write(weights, to)
    click.echo(to)


def _exporter(spec: Published, form: str, prompt_type: str) -> Callable[[Path, Path], None] | None:
    """Return what writes a model in a form, from its weights to a folder; None if it has no such form."""
    if isinstance(spec, ModelSpec):
        if form == "onnx":
            return spec.family.export_onnx
        return partial(_export_sam, spec, prompt_type) if spec.family.is_exportable else None
    return partial(_export_detector, spec) if form == "paddlex" and not spec.is_folder else None


def _exportable(form: str) -> str:
    """Return which models have a form, for an error message."""
    *others, last = (model.name for model in models.all_models().values() if _exporter(model, form, "box"))
    names = f"{', '.join(others)} and {last}" if others else last
    return f"{names} can" + (", and so can detectors" if form == "paddlex" else "")


def _export_sam(spec: ModelSpec, prompt_type: str, weights: Path, to: Path) -> None:
    from ovseg_core.paddle_inference import export as paddle_inference
    from ovseg_core.sam.family import load_parts

    paddle_inference.export(load_parts(spec.network, weights), prompt_type, to)


def _export_detector(spec: Published, weights: Path, to: Path) -> None:
    from ovseg_core.grounding_dino import loading
    from ovseg_core.grounding_dino.shape import SHAPES
    from ovseg_core.paddle_inference import detector_export

    shape = SHAPES[spec.network]
    image = loading.image_parts(shape, weights, detector_export.CANVAS_HW)
    detector_export.export(image, loading.text_parts(shape, weights), to)


def quantize(name: str, photos: Path) -> None:
    """Make an int8 image encoder of a model from a folder of photos.

    Raises:
        ValueError: `quantization.quantize` raised it, the model is unknown or not installed, or the packages of
            the extra `int8` are not installed.
    """
    spec = _found(name)
    try:
        from ovseg_core import quantization
        from ovseg_core.engines import int8
        from ovseg_core.paddlex import sources

        found = [Path(source.path) for source in sources.in_folder(photos, sources.SUFFIXES) if source.path]
        agreement = quantization.quantize(spec, found)
    except ImportError as error:
        raise ValueError(f"{error}; {extras.how_to_install('int8')}") from None
    except OvsegError as error:
        raise ValueError(error.message) from None
    click.echo(
        f"On {agreement.photos} photos, the mean IoU with the masks in float32 is {agreement.boxes:.3f} for boxes and "
        f"{agreement.clicks:.3f} for clicks.\n{int8.path(spec.weights)}"
    )


def _found_anywhere(name: str) -> Published:
    """Return the model or detector of this name."""
    return models.find_detector(name) if models.is_detector(name) else _found(name)


def _found(name: str) -> ModelSpec:
    try:
        return models.find(name)
    except OvsegError as error:
        raise ValueError(error.message) from None
