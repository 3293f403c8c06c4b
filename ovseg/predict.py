"""`ovseg --pipeline ...`: PaddleX's command line."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from ovseg_core.family import EVERYTHING

FORM = "--prompt is a list of boxes or points, [[x0,y0,x1,y1],...] or [[x,y],...]"
FORM_OF_OPTIONS = '--prompt has the options of everything mode, {"points_per_side":16,...}'


@dataclass(frozen=True)
class Request:
    pipeline: str
    given: str
    prompt: str | None  # None only in everything mode
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

    prompt = _parsed(request)
    pipeline = create_pipeline(
        request.pipeline,
        device=request.device,
        use_hpip=request.use_hpip,
        model=request.model,
        engine=request.engine,
    )
    logging.basicConfig(format="%(message)s")
    done = 0
    with logging_redirect_tqdm(), _bar_of_clicks() as show:
        results = pipeline.predict(request.given, prompt, request.prompt_type, on_error="skip", on_progress=show)
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


@contextmanager
def _bar_of_clicks() -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows the progress of everything mode: the clicks of the current image."""
    bars: list[tqdm[NoReturn]] = []

    def show(done: int, total: int) -> None:
        if not bars:
            bars.append(tqdm(unit="click", leave=False))
        [bar] = bars
        if done < bar.n:  # another image
            bar.reset(total)
        bar.total = total
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        for bar in bars:
            bar.close()


def _parsed(request: Request) -> Any:
    is_everything = request.prompt_type == EVERYTHING
    if request.prompt is None:
        return None
    try:
        # The prompts that are printed and saved are the numbers that are used. The options of everything mode have
        # whole numbers among them.
        return json.loads(request.prompt, parse_int=None if is_everything else float)
    except json.JSONDecodeError as error:
        raise ValueError(f"{FORM_OF_OPTIONS if is_everything else FORM}: {error}") from None
