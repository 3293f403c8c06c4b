"""`python -m training train`: train SAM-Lite. An interrupted training resumes exactly where it was."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from ovseg_core import models
from ovseg_core.engines import cpu_flags
from training import checkpoints, photos, scenes, start
from training.heads import with_heads
from training.losses import Batch, batch, losses, summed
from training.network import SamLite

EMA = 0.998
WARM_UP = 100  # steps
CHECKPOINT_EVERY = 100  # steps
LOG_EVERY = 50  # steps
STEPS_FOR_NORMS = 12  # batches with which the norms of the shipped weights are measured


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        steps: the number of steps from the start to the end of the schedule.
        images: canvases of a step.
        slots: prompted things of an image, each with a box and with clicks.
        rate: the highest learning rate of the heads and of the pyramid. The backbone's is a third of it.
        frozen_stages: the number of the backbone's first stages that are not trained, with its stem.
        seed: of the scenes and the prompts.
        in_bfloat16: whether the network computes in bfloat16. Its masks, scores and losses are in float32.
    """

    steps: int
    images: int = 6
    slots: int = 5
    rate: float = 4e-4
    frozen_stages: int = 3
    seed: int = 0
    in_bfloat16: bool = cpu_flags.has_any(cpu_flags.BFLOAT16)


class Interrupted(RuntimeError):
    """SIGTERM or Ctrl-C has arrived, and the checkpoint is written."""


class Stream(Dataset[scenes.Scene]):
    """Scenes by number, in the process of a loader."""

    def __init__(self, folders: Sequence[Path], emoji: Path, schedule: Schedule) -> None:
        self.folders, self.emoji, self.schedule = folders, emoji, schedule
        self.name = " ".join(str(folder.resolve()) for folder in folders)
        self.scenes: scenes.Scenes | None = None

    def __getitem__(self, number: int) -> scenes.Scene:
        if self.scenes is None:
            cv2.setNumThreads(1)
            train = [with_heads(photo) for photo in photos.split(self.folders).train]
            self.scenes = scenes.Scenes(train, scenes.emoji(self.emoji), self.schedule.slots, self.schedule.seed)
        return self.scenes[number]


def batches(stream: Stream, schedule: Schedule, first: int, last: int) -> DataLoader[Batch]:
    """Return the batches of some steps."""
    return DataLoader(
        stream,
        batch_size=schedule.images,
        sampler=range(first * schedule.images, last * schedule.images),
        collate_fn=batch,
        num_workers=1,
        worker_init_fn=ignore_signals,
        prefetch_factor=8,
        multiprocessing_context="spawn",  # a forked process hangs if OpenMP threads of its parent have already worked
    )


def ignore_signals(_: int) -> None:
    """Ignore what interrupts the training: Ctrl-C and timeout(1) also send it to the loader, which has to live on."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def groups(net: SamLite, schedule: Schedule) -> list[dict[str, Any]]:
    """Return the parameters to train: the backbone at a lower rate, biases and norms without weight decay."""
    encoder = net.image_encoder
    encoder.frozen_stages = schedule.frozen_stages
    for part in (encoder.stem, *encoder.stages[: schedule.frozen_stages]):
        part.requires_grad_(False)
    sorted_out: dict[tuple[float, float], list[Tensor]] = defaultdict(list)
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            backbone = name.startswith("image_encoder.stages")
            rate = schedule.rate / 3 if backbone else schedule.rate
            sorted_out[rate, 0.02 if parameter.ndim > 1 else 0.0].append(parameter)
    return [
        {"params": parameters, "lr": rate, "base": rate, "weight_decay": decay}
        for (rate, decay), parameters in sorted_out.items()
    ]


def averaged(kept: list[Tensor], now: list[Tensor], seen: Tensor | int) -> None:
    """Update the averaged weights after a step.

    They follow quickly at first: otherwise a short training would keep the random start.
    """
    share = 1 - min(EMA, (1 + int(seen)) / (10 + int(seen)))
    for average, value in zip(kept, now, strict=True):
        if average.is_floating_point():
            average.lerp_(value, share)
        else:
            average.copy_(value)  # the number of batches that a norm has processed


@contextlib.contextmanager
def noted_signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT instead of dying from them."""
    arrived: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        arrived.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield arrived
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Training:
    """A network, its optimizer and its averaged weights, on the way through a schedule."""

    def __init__(self, net: SamLite, stream: Stream, schedule: Schedule) -> None:
        self.net, self.stream, self.schedule = net, stream, schedule
        self.optimizer = torch.optim.AdamW(groups(net, schedule), betas=(0.9, 0.98), foreach=True)
        self.average = AveragedModel(net, multi_avg_fn=averaged, use_buffers=True)
        self.trained = [p for p in net.parameters() if p.requires_grad]
        self.parts = {"net": net, "average": self.average, "optimizer": self.optimizer}
        self.done = 0  # steps
        self.begun_at = 0  # the step at which the optimizer started: not 0 after a small checkpoint

    def begin(self, weights: str) -> None:
        """Load weights to start with: "shipped", "imagenet", or the path of a small checkpoint."""
        if weights == "imagenet":
            start.load_imagenet(self.net.image_encoder)
        elif weights == "shipped":
            start.load_shipped(self.net, models.find("SAM-Lite").weights)
            start.measure_norms(self.net, list(batches(self.stream, self.schedule, 0, STEPS_FOR_NORMS)))
        else:
            self.done = self.begun_at = checkpoints.load_small(self.net, Path(weights))

    def resume(self, checkpoint: Path) -> None:
        """Continue from a checkpoint.

        Raises:
            ValueError: The checkpoint is that of a training on other photos.
        """
        progress = checkpoints.restore(checkpoint, self.parts)
        if progress["photos"] != self.stream.name:
            raise ValueError(
                f"{checkpoint} is of a training on {progress['photos']}; remove it, or give another folder with --out"
            )
        self.done, self.begun_at = progress["done"], progress["begun_at"]

    def save(self, checkpoint: Path) -> None:
        progress = {"done": self.done, "begun_at": self.begun_at, "photos": self.stream.name}
        checkpoints.save(checkpoint, self.parts, progress)

    def step(self, b: Batch) -> dict[str, float]:
        """Do a step. Its random prompts depend on the seed and on the number of the step alone."""
        torch.manual_seed(self.schedule.seed * 1_000_003 + self.done)
        warm = min(1.0, (self.done + 1 - self.begun_at) / WARM_UP)
        factor = warm * (0.5 + 0.5 * math.cos(math.pi * self.done / self.schedule.steps))
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * factor
        with torch.autocast("cpu", torch.bfloat16, enabled=self.schedule.in_bfloat16):
            values = losses(self.net, self.net.image_encoder(b.pixels), b)
        summed(values).backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 5.0, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update_parameters(self.net)
        self.done += 1
        return {name: float(value.detach()) for name, value in values.items()}

    def run(self, checkpoint: Path) -> None:
        """Do the steps that are left, with a checkpoint every `CHECKPOINT_EVERY` of them and at the end.

        Raises:
            Interrupted: SIGTERM or Ctrl-C came, and the checkpoint was written after the step that was running.
        """
        history: dict[str, list[float]] = defaultdict(list)
        first, last, started = self.done, self.schedule.steps, time.monotonic()
        with (
            noted_signals() as arrived,
            tqdm(total=last, initial=first, unit="step", mininterval=20, ascii=True) as bar,
        ):
            for b in batches(self.stream, self.schedule, first, last):
                for name, value in self.step(b).items():
                    history[name].append(value)
                bar.update()
                if self.done % LOG_EVERY == 0:
                    recent = " ".join(f"{name} {np.mean(v[-LOG_EVERY:]):.3f}" for name, v in history.items())
                    each = (time.monotonic() - started) / (self.done - first)
                    bar.write(f"{self.done} {each:.2f} s/step: {recent}")
                if arrived or self.done % CHECKPOINT_EVERY == 0 or self.done == last:
                    self.save(checkpoint)
                if arrived:
                    raise Interrupted(f"stopped after step {self.done}; the same command resumes from {checkpoint}")


def train(folders: Sequence[Path], out: Path, weights: str, schedule: Schedule, threads: int) -> None:
    """Train SAM-Lite, or resume a training.

    Args:
        folders: photos in COCO's format.
        out: the folder of the checkpoint, `lite.pt`. If it exists, the training resumes from it.
        weights: what a new training starts with, see `Training.begin`.
        schedule: how long and how fast; the same as before when a training resumes.
        threads: of torch. The loader needs a part of another core.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(schedule.seed)
    net = SamLite().to(memory_format=torch.channels_last)
    training = Training(net, Stream(folders, out / "emoji", schedule), schedule)
    checkpoint = out / "lite.pt"
    if checkpoint.exists():
        training.resume(checkpoint)
    else:
        training.begin(weights)
    training.run(checkpoint)
