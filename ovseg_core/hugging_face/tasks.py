"""The tasks of `pipeline` by name."""

from __future__ import annotations

import difflib

from ovseg_core.hugging_face.image_feature_extraction import ImageFeatureExtraction
from ovseg_core.hugging_face.image_segmentation import ImageSegmentation
from ovseg_core.hugging_face.mask_generation import MaskGeneration
from ovseg_core.hugging_face.promptable_segmentation import PromptableSegmentation
from ovseg_core.hugging_face.task import Task
from ovseg_core.hugging_face.zero_shot_object_detection import ZeroShotObjectDetection

TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (
        MaskGeneration,
        PromptableSegmentation,
        ZeroShotObjectDetection,
        ImageSegmentation,
        ImageFeatureExtraction,
    )
}


def find(name: str) -> type[Task]:
    """Return the task of this name. Raises ValueError, which lists the names, if there is none."""
    if name in TASKS:
        return TASKS[name]
    near = difflib.get_close_matches(name.replace("_", "-").lower(), TASKS, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"there is no task {name!r}; the tasks are {', '.join(TASKS)}{hint}")


def of_model(is_detector: bool) -> type[Task]:
    """Return the default task of a model: the one that Hugging Face's page of the model states."""
    return ZeroShotObjectDetection if is_detector else MaskGeneration
