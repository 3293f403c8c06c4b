"""`pipeline`: a task with a model, as transformers' function of this name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ovseg_core.hugging_face import placement, precision, tasks
from ovseg_core.hugging_face.copies import Copies
from ovseg_core.hugging_face.loaded import DEFAULT_DETECTOR, Choice, Loaded
from ovseg_core.hugging_face.task_pipeline import Reading, TaskPipeline, check, in_this_process

if TYPE_CHECKING:
    from ovseg_core.grounding_dino.detector import Detector
    from ovseg_core.segmenter import Segmenter

# What transformers loads next to the weights. Here these are parts of the model.
PARTS = ("config", "tokenizer", "feature_extractor", "image_processor", "processor", "revision", "pipeline_class")
WITHOUT_EFFECT = ("use_fast", "framework", "token", "trust_remote_code")  # they choose among equal results


def pipeline(
    task: str | None = None,
    model: str | Path | Segmenter | Detector | None = None,
    *,
    device: Any = None,
    device_map: Any = None,
    dtype: Any = None,
    torch_dtype: Any = None,
    batch_size: int = 1,
    num_workers: int = 1,
    model_kwargs: Mapping[str, Any] | None = None,
    detector: str | Path | Detector | None = None,
    engine: str = "auto",
    **parameters: Any,
) -> TaskPipeline:
    """Load a model for a task, as transformers' function of this name does.

    https://huggingface.co/docs/transformers/main_classes/pipelines

    Weights that are not installed are downloaded first, except those of a detector.

    Args:
        task: a name of `tasks.TASKS`. Without it, the task follows from the model: `mask-generation` for a SAM,
            `zero-shot-object-detection` for a detector.
        model: a name in `ovseg models list`, or the name of the same model at Hugging Face, such as
            "facebook/sam-vit-base"; the path of a file of weights; or a model that is loaded. The default is SAM-Lite,
            which is bundled, and GroundingDINO-T for `zero-shot-object-detection`.
        device: the number of a GPU, -1 for the CPU; "cpu", "cuda", "cuda:1", "gpu:1"; or a device of torch. The default
            is the first GPU that Paddle can use, or the CPU if there is none.
        device_map: "auto" for all GPUs, or the CPU if there is none; or a list of devices. Each device gets the whole
            model, and the images are shared out among them.
        dtype: "float32", the default; "bfloat16" or "float16", where docs/models.md lists them; or torch's types.
        torch_dtype: the older name of `dtype`.
        batch_size: number of images that the image encoder computes in one run.
        num_workers: 0 reads images in the caller's thread when they are needed. Otherwise a thread reads ahead.
        model_kwargs: {"load_in_8bit": True} for int8; or {"quantization_config": ...} with this attribute.
        detector: for text: a detector by its name, path, or loaded. The default is GroundingDINO-T.
        engine: "openvino", "onnxruntime" or "paddle"; "auto" is the fastest that is installed.
        parameters: parameters of the task, which a call may override.

    Returns:
        The pipeline, ready to be called.

    Raises:
        ValueError: there is no such task, device, precision or engine; or a parameter is wrong.
        OvsegError: `unknown_model`; `model_not_installed` for a detector without weights.
        PullFailed: the weights could not be downloaded; the message says where to put the file.
        FileNotFoundError: there is no file at the path.
        TypeError: the task has no such parameter.
    """
    if task is None and model is None:
        raise ValueError(f"name a task ({', '.join(tasks.TASKS)}) or a model")
    check(parameters, PARTS)
    reading = Reading(batch_size, num_workers)
    choice = Choice.of(model, detector, engine, precision.of(dtype, torch_dtype, model_kwargs))
    kind = tasks.of_model(choice.is_detector) if task is None else tasks.find(task)
    given = {name: value for name, value in parameters.items() if name not in (*PARTS, *WITHOUT_EFFECT)}
    asked = kind().changed(given)
    names = placement.of(device, device_map)
    if kind.is_detection and model is not None and not choice.is_detector:
        raise ValueError(f"{kind.name} needs a detector, such as {DEFAULT_DETECTOR}; {model} is not a detector")
    if len(names) > 1:
        choice.check_copies()
        return TaskPipeline(asked, Copies(choice, names, kind.is_detection).results, names, reading)
    loaded = Loaded(choice, names[0])
    loaded.load(is_detection=kind.is_detection)  # now, so that its errors come here
    return TaskPipeline(asked, partial(in_this_process, loaded), names, reading)
