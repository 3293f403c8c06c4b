"""`python -m training distill`: train the shipped SAM-Lite from the wide one, its teacher (Hinton et al., 2015).

The pyramid is the teacher's and stays as it is. The heads, and the layers that prepare the pyramid for them, start at
random. They learn from the masks of the scenes and from the outputs of the wide heads for the same prompts.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from training import train, wide
from training.export import average
from training.network import SamLite


def distill(data: Path, out: Path, schedule: train.Schedule, threads: int) -> None:
    """Train from `wide.pt` in `out`. Writes `slim.pt`, or resumes from it if it exists."""
    torch.set_num_threads(threads)
    torch.manual_seed(schedule.seed)
    teacher = average(out / "wide.pt", wide.SamLite()).to(memory_format=torch.channels_last)
    net = SamLite().to(memory_format=torch.channels_last)
    # all weights except those of `ends`
    net.image_encoder.load_state_dict(teacher.image_encoder.state_dict(), strict=False)
    net.requires_grad_(False)
    for part in (net.image_encoder.ends, net.locator, net.mask_head):
        part.requires_grad_(True)

    def loss(b: train.Batch) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.no_grad():
            pyramid = teacher.image_encoder(b.pixels)
        values, lesson = train.losses(net, net.image_encoder.reduced(pyramid), b)
        values |= taught(teacher, pyramid, b.of, lesson)
        return train.summed(values) + values["mask_taught"] + 0.3 * values["coarse_taught"], values

    train.fit(net, groups(net, schedule), loss, data, out / "slim.pt", schedule)


def taught(teacher: wide.SamLite, pyramid: list[Tensor], of: Tensor, lesson: train.Lesson) -> dict[str, Tensor]:
    """Return the cross entropy with the teacher's masks, and with its coarse masks, candidate by candidate."""
    with torch.no_grad():
        coarse, _ = teacher.locator(pyramid, of, lesson.click_points, lesson.click_labels)
        logits, _ = teacher.mask_head(pyramid, lesson.of, lesson.regions, lesson.drawn)
    by_candidate = F.binary_cross_entropy_with_logits(lesson.coarse, coarse.sigmoid(), reduction="none")
    return {
        "mask_taught": F.binary_cross_entropy_with_logits(lesson.logits, logits.sigmoid()),
        "coarse_taught": (by_candidate.mean((1, 2, 3)) / lesson.share).mean(),
    }


def groups(net: SamLite, schedule: train.Schedule) -> list[dict[str, object]]:
    """Return the parameters to train; biases and norms have no weight decay."""
    by_decay: dict[float, list[Tensor]] = defaultdict(list)
    for parameter in net.parameters():
        if parameter.requires_grad:
            by_decay[0.02 if parameter.ndim > 1 else 0.0].append(parameter)
    return [
        {"params": parameters, "lr": schedule.rate, "base": schedule.rate, "weight_decay": decay}
        for decay, parameters in by_decay.items()
    ]
