"""`ovseg --pipeline ...`: PaddleX's command line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

FORM = "--prompt is a list of boxes or points, [[x0,y0,x1,y1],...] or [[x,y],...]"


@dataclass(frozen=True)
class Request:
    pipeline: str
    given: str
    prompt: str
    prompt_type: str
    save_path: str | None
    device: str | None
    model: str | None
    engine: str
    use_hpip: bool


def run(request: Request) -> None:
    """Print a line for each image, and save its picture and JSON if a path is given.

    An image that cannot be read, or that does not contain a prompt, is named on stderr and skipped.

    Raises:
        ValueError: An argument is wrong. Also after the last image, if an image failed or none was found.
        OvsegError: The model or the device cannot be used.
        PullFailed: The model's weights could not be fetched.
    """
    from ovseg_core import create_pipeline

    prompt = _parsed(request.prompt)
    pipeline = create_pipeline(
        request.pipeline,
        device=request.device,
        use_hpip=request.use_hpip,
        model=request.model,
        engine=request.engine,
    )
    results = pipeline.predict(request.given, prompt, request.prompt_type, on_error="skip")
    logging.basicConfig(format="%(message)s")
    done = 0
    with logging_redirect_tqdm():
        for result in _with_progress(results, Path(request.given)):
            tqdm.write(str(result))
            if request.save_path is not None:
                result.save_all(request.save_path)
            done += 1
    if failed := len(results.skipped):
        raise ValueError(f"{failed} of {done + failed} images failed; they are named above")
    if not done:
        raise ValueError(f"there is no image in {request.given!r}")


def write_config(name: str, folder: str | None) -> None:
    """Write the pipeline's YAML file into a folder. Raises ValueError for an unknown pipeline."""
    from ovseg_core.paddlex.pipeline import default_config

    config = default_config(name)
    path = Path(folder or ".") / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(config)
    click.echo(f"The pipeline config has been saved to: {path}")


def _with_progress(results: Iterator[Any], given: Path) -> Iterator[Any]:
    """Show a progress bar if `given` is a folder."""
    return iter(tqdm(results, unit="image", disable=not given.is_dir()))


def _parsed(prompt: str) -> Any:
    try:
        return json.loads(prompt, parse_int=float)  # what is printed and saved are the numbers that are used
    except json.JSONDecodeError as error:
        raise ValueError(f"{FORM}: {error}") from None
