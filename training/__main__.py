"""`python -m training COMMAND`: all steps from training to the model card. `make train-lite` runs the training."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

BUNDLED = Path("ovseg_core/models/weights/sam_lite.safetensors")
GRAPHS = Path("ovseg_core/lite/graphs")
FOLDERS: dict[str, Any] = {
    "type": Path,
    "nargs": "+",
    "required": True,
    "help": "folders with annotations.json (COCO's format) and images/",
}


def main() -> None:
    run(_parser().parse_args())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    _add_training(commands)

    export = commands.add_parser("export", help="convert a checkpoint to the weights that the library ships")
    export.add_argument("--checkpoint", type=Path, default=Path("build/sam-lite/lite.pt"))
    export.add_argument("--to", type=Path, default=BUNDLED)

    small = commands.add_parser("shrink", help="write the weights of a checkpoint so small that they can be committed")
    small.add_argument("--checkpoint", type=Path, default=Path("build/sam-lite/lite.pt"))
    small.add_argument("--to", type=Path, required=True)

    graphs = commands.add_parser(
        "graphs", help="write the graphs that the library ships; needed when SAM-Lite's layers change"
    )
    graphs.add_argument("--to", type=Path, default=GRAPHS)

    _add_measurements(commands)

    card = commands.add_parser("card", help="draw docs/sam-lite.jpg and docs/everything.jpg")
    card.add_argument("--photos", type=Path, required=True, help="skimage/data of scikit-image's wheel")
    card.add_argument("--to", type=Path, default=Path("docs"))

    known = commands.add_parser("check-answers", help="record an original's answers for `ovseg models check`")
    known.add_argument("model", choices=["SAM-B", "SAM-L", "SAM-H", "MobileSAM"])
    known.add_argument("checkpoint", type=Path, help="the publisher's file")

    commands.add_parser("references", help="write the outputs of the original implementations to tests/data")
    return parser


def _add_training(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    learn = commands.add_parser("train", help="train SAM-Lite; writes lite.pt to --out, or resumes from it")
    learn.add_argument("--data", **FOLDERS)
    learn.add_argument("--out", type=Path, default=Path("build/sam-lite"))
    learn.add_argument(
        "--start",
        default="shipped",
        help="the first weights: `shipped`, `imagenet`, or a file of `shrink`, whose schedule continues",
    )
    learn.add_argument("--steps", type=int, default=1000, help="of the whole schedule")
    learn.add_argument(
        "--rate", type=float, default=4e-4, help="the highest learning rate; 0.0012 from ImageNet's weights"
    )
    learn.add_argument(
        "--float32", action="store_true", help="do not use bfloat16, which CPUs with AVX512-BF16 or AMX have"
    )
    learn.add_argument(
        "--seed", type=int, default=0, help="of scenes and prompts; a training that follows another one needs its own"
    )
    learn.add_argument("--threads", type=int, default=2)


def _add_measurements(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands that measure a model on labelled photos."""
    evaluate = commands.add_parser("evaluate", help="mean IoU on the held-out photos")
    evaluate.add_argument("--data", **FOLDERS)
    evaluate.add_argument("--report", type=Path, default=Path("build/sam-lite/report.md"))
    evaluate.add_argument("--precision", choices=["float32", "int8"], default="float32")
    evaluate.add_argument("--weights", type=Path, help="other weights of SAM-Lite, measured beside the shipped ones")
    evaluate.add_argument(
        "--on_trial", action="store_true", help="measure the photos on which designs are compared, not those held out"
    )

    agreement = commands.add_parser("agreement", help="how well masks in another precision agree with float32")
    agreement.add_argument("--data", **FOLDERS)
    agreement.add_argument("--precision", choices=["bfloat16", "int8"], required=True)
    agreement.add_argument("--weights", type=Path, help="other weights of SAM-Lite")
    agreement.add_argument(
        "--on_trial", action="store_true", help="measure the photos on which designs are compared, not those held out"
    )
    agreement.add_argument("--photos", type=int, help="the number of photos, evenly sampled; all by default")

    everything = commands.add_parser(
        "everything", help="recall of everything mode on the held-out photos, and its junk"
    )
    everything.add_argument("--data", **FOLDERS)
    everything.add_argument("--report", type=Path, default=Path("build/sam-lite/everything.md"))
    everything.add_argument("--model", default="SAM-Lite")
    everything.add_argument("--weights", type=Path, help="other weights of the model")
    everything.add_argument("--precision", default="float32")
    everything.add_argument(
        "--search",
        help="measure every combination of these options on other photos instead; JSON, such as "
        """'{"points_per_side": [16, 24], "box_nms_thresh": [0.5, 0.6, 0.7]}'""",
    )
    everything.add_argument("--photos", type=int, help="the number of photos of each group; all by default")

    words = commands.add_parser("words", help="average precision of text prompts, and their false answers")
    words.add_argument("--data", type=Path, required=True, help="a folder with annotations.json (COCO, LVIS), images/")
    words.add_argument("--report", type=Path, default=Path("build/words.md"))
    words.add_argument("--detector", default="GroundingDINO-T", help="as `ovseg models list` names it")
    words.add_argument("--detector_dir", type=Path, help="weights of the detector, instead of its own")
    words.add_argument("--model", default="SAM-Lite", help="what makes the masks")
    words.add_argument("--engine", default="auto", help="of the detector")
    words.add_argument("--photos", type=int, help="the number of photos, drawn at random; all by default")


def run(arguments: argparse.Namespace) -> None:
    """Run a command. Each command imports what it needs: evaluating needs no torch."""
    if arguments.command == "train":
        _train(arguments)
    elif arguments.command == "export":
        from training.export import export as run_export

        run_export(arguments.checkpoint, arguments.to)
    elif arguments.command == "shrink":
        from training.checkpoints import shrink

        shrink(arguments.checkpoint, arguments.to)
    elif arguments.command == "graphs":
        from training.graphs import write

        write(arguments.to)
    elif arguments.command == "evaluate":
        from training.evaluate import evaluate as run_evaluate

        run_evaluate(arguments.data, arguments.report, arguments.precision, arguments.weights, arguments.on_trial)
    elif arguments.command == "agreement":
        from training.agreement import evaluate as run_agreement

        run_agreement(arguments.data, arguments.precision, arguments.weights, arguments.on_trial, arguments.photos)
    elif arguments.command == "everything":
        _measure_everything(arguments)
    elif arguments.command == "words":
        _measure_words(arguments)
    elif arguments.command == "card":
        from training.card import draw

        draw(arguments.photos, arguments.to)
    elif arguments.command == "check-answers":
        from training.check_answers import write as write_answers

        write_answers(arguments.model, arguments.checkpoint)
    else:
        from training.references import write_all

        write_all()


def _train(arguments: argparse.Namespace) -> None:
    from training.train import Interrupted, Schedule, train

    schedule = Schedule(arguments.steps, rate=arguments.rate, seed=arguments.seed)
    if arguments.float32:
        schedule = replace(schedule, in_bfloat16=False)
    try:
        train(arguments.data, arguments.out, arguments.start, schedule, arguments.threads)
    except ValueError as error:
        sys.exit(str(error))
    except Interrupted as interruption:
        print(interruption)
        sys.exit(128 + signal.SIGTERM)  # as a shell reports it, so that make does not continue


def _measure_everything(arguments: argparse.Namespace) -> None:
    from ovseg_core.models.locating import located
    from ovseg_core.segmenter import Segmenter
    from training.everything import evaluate as run_everything

    run_everything(
        arguments.data,
        arguments.report,
        Segmenter.of(located(arguments.model, arguments.weights), "cpu", "auto", arguments.precision),
        json.loads(arguments.search) if arguments.search else None,
        arguments.photos,
    )


def _measure_words(arguments: argparse.Namespace) -> None:
    from ovseg_core.paddlex import detection_model
    from ovseg_core.segmenter import Segmenter
    from training.words import evaluate as run_words

    run_words(
        arguments.data,
        arguments.report,
        detection_model.opened(arguments.detector, arguments.detector_dir, "cpu", arguments.engine),
        Segmenter.open(arguments.model),
        arguments.photos,
    )


if __name__ == "__main__":
    main()
