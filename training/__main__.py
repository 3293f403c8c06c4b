"""`python -m training train|evaluate|export`; `make train-lite` and `make eval-lite` call it."""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder with annotations.json (COCO) and images/")
    parser.add_argument("--out", type=Path, default=Path("build/sam-lite"), help="checkpoint, export, report")
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train, or go on from the checkpoint")
    train.add_argument("--steps", type=int, default=3000)
    train.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.command == "train":
        import torch

        from training.train import Schedule
        from training.train import train as run

        torch.set_num_threads(arguments.threads)
        run(arguments.data, arguments.out, Schedule(steps=arguments.steps))


if __name__ == "__main__":
    main()
