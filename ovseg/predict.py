"""`ovseg --pipeline ...`: PaddleX's command line."""

from __future__ import annotations

import ast
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

TEXT = "text"  # of --prompt_type
FORM = "--prompt is a list of boxes or points, [[x0,y0,x1,y1],...] or [[x,y],...]"
FORM_OF_THRESHOLDS = "--thresholds is a mapping, {'box_threshold': 0.3, 'text_threshold': 0.25}"
FORM_OF_OPTIONS = '--prompt has the options of everything mode, {"points_per_side":16,...}'


@dataclass(frozen=True)
class Request:
    pipeline: str
    given: str
    prompt: str | None  # None only in everything mode
    prompt_type: str
    thresholds: str | None  # only of a detector
    save_path: str | None
    device: str | None
    model: str | None
    detector: str | None
    engine: str
    use_hpip: bool


def run(request: Request) -> None:
    """Print a line for each image, and save its picture and JSON if a path is given.

    An image that cannot be read, or that does not contain a prompt, is named on stderr and skipped.

    Raises:
        ValueError: An argument is wrong. Also after the last image, if an image failed or none was found.
        OvsegError: The model, the detector, the prompt or a threshold cannot be used.
        PullFailed: The model's weights could not be fetched.
    """
    from ovseg_core import create_pipeline

    pipeline: Any = create_pipeline(
        request.pipeline,
        device=request.device,
        use_hpip=request.use_hpip,
        model=request.model,
        detector=request.detector,
        engine=request.engine,
    )
    logging.basicConfig(format="%(message)s")
    done = 0
    with logging_redirect_tqdm(), _bar_of_clicks() as show:
        results = _results(pipeline, request, show)
        for result in _with_progress(results, Path(request.given)):
            tqdm.write(str(result))
            if request.save_path is not None:
                result.save_all(request.save_path)
            done += 1
    if failed := len(results.skipped):
        raise ValueError(f"{failed} of {done + failed} images failed; they are named above")
    if not done:
        raise ValueError(f"there is no image in {request.given!r}")


def _results(pipeline: Any, request: Request, show: Callable[[int, int], None]) -> Any:
    """Return what `predict` of the pipeline returns. Raises ValueError for a prompt or thresholds in a wrong form."""
    from ovseg_core.paddlex.detection_pipeline import DetectionPipeline

    thresholds = None if request.thresholds is None else _mapping(request.thresholds)
    if isinstance(pipeline, DetectionPipeline):
        if request.prompt is None:
            raise ValueError("this pipeline needs a --prompt")
        return pipeline.predict(request.given, request.prompt, thresholds, on_error="skip")
    if request.prompt_type == TEXT:
        prompt: Any = {"phrases": request.prompt, **(thresholds or {})}
    elif thresholds is not None:
        raise ValueError("--thresholds is for --prompt_type text, or for the pipeline open_vocabulary_detection")
    else:
        prompt = _parsed(request)
    return pipeline.predict(request.given, prompt, request.prompt_type, on_error="skip", on_progress=show)


def write_config(name: str, folder: str | None) -> None:
    """Write the pipeline's YAML file into a folder. Raises ValueError for an unknown pipeline."""
    from ovseg_core.paddlex import config as configuration

    config = configuration.default(name)
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


def _mapping(given: str) -> dict[str, Any]:
    """Return --thresholds, which is written in Python, as in PaddleX."""
    try:
        found = ast.literal_eval(given)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ValueError(f"{FORM_OF_THRESHOLDS}, not {given!r}")
    return found
