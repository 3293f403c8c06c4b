"""`pipeline` of transformers: its keywords, and what it answers to wrong ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ovseg_core import OvsegError, Prompt, Segmenter, pipeline
from ovseg_core.engines import int8
from ovseg_core.hugging_face import tasks
from ovseg_core.hugging_face.task_pipeline import TaskPipeline
from tests.support.promptable_results import BOX, array, same

TEXT_TASKS = ("zero-shot-object-detection", "image-segmentation", "promptable-segmentation")


@pytest.mark.skipif(not int8.is_supported(), reason="this CPU has no VNNI")
def test_load_in_8bit_runs_the_encoder_in_int8(rgb: np.ndarray) -> None:
    quantized = pipeline("promptable-segmentation", model_kwargs={"load_in_8bit": True}, device="cpu")
    expected = Segmenter.open("SAM-Lite", precision="int8")
    [mask] = expected.decode(expected.encode(rgb), [Prompt.of(BOX)])
    assert np.array_equal(array(quantized(rgb, boxes=[BOX])) > 0, mask.full())


def test_a_missing_task_is_answered_with_the_list() -> None:
    names = ", ".join(tasks.TASKS)
    assert set(TEXT_TASKS) < set(tasks.TASKS)
    with pytest.raises(ValueError, match=f"no task 'automatic-speech-recognition'; the tasks are {names}$"):
        pipeline(task="automatic-speech-recognition")
    with pytest.raises(ValueError, match="did you mean 'mask-generation'"):
        pipeline("mask_generation")
    with pytest.raises(ValueError, match=rf"name a task \({names}\) or a model"):
        pipeline()


def test_a_missing_model_is_answered_with_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    with pytest.raises(OvsegError, match=r"no model 'openai/whisper-large'; available: SAM-Lite, .*GroundingDINO-T"):
        pipeline(model="openai/whisper-large")
    with pytest.raises(OvsegError, match="`ovseg models pull GroundingDINO-T`"):
        pipeline("zero-shot-object-detection")
    with pytest.raises(ValueError, match="needs a detector, such as GroundingDINO-T; SAM-Lite is not a detector"):
        pipeline("zero-shot-object-detection", model="SAM-Lite")
    with pytest.raises(ValueError, match="SAM-Lite is not a detector"):
        pipeline("image-segmentation", detector="SAM-Lite")


def test_unknown_parameters_are_refused(promptable: TaskPipeline, rgb: np.ndarray) -> None:
    with pytest.raises(TypeError, match=r"mask-generation has no parameter 'points'; its parameters: points_per_batch"):
        pipeline("mask-generation", points=[[1, 1]])
    with pytest.raises(TypeError, match="promptable-segmentation has no parameter 'box'"):
        promptable(rgb, box=BOX)
    with pytest.raises(TypeError, match="needs one image"):
        promptable(boxes=[BOX])
    with pytest.raises(TypeError, match="need their names"):
        promptable(rgb, [BOX])
    with pytest.raises(ValueError, match="tokenizer cannot be chosen"):
        pipeline("mask-generation", tokenizer="bert-base-uncased")
    for wrong in ({"batch_size": 0}, {"num_workers": -1}):
        with pytest.raises(ValueError, match="must be at least"):
            promptable(rgb, boxes=[BOX], **wrong)


def test_several_devices_share_the_images_and_answer_in_order(
    rgb: np.ndarray, promptable: TaskPipeline, segmenter: Segmenter
) -> None:
    """Two processes on the CPU take the place of two GPUs."""
    shared = pipeline("promptable-segmentation", device_map=["cpu", "cpu"])
    assert shared.devices == ("cpu", "cpu")
    inputs = [rgb[:200], rgb, rgb[:, :333], rgb[:250]]
    expected = promptable(inputs, boxes=[BOX])
    assert all(map(same, shared(inputs, boxes=[BOX]), expected))
    assert same(shared(rgb, boxes=[BOX]), expected[1])
    with pytest.raises(OvsegError, match="outside the image") as raised:
        shared([rgb, rgb], points=[[10_000, 1]])
    assert raised.value.code == "point_outside_image"
    assert same(shared(rgb, boxes=[BOX]), expected[1])
    with pytest.raises(ValueError, match="a model that is loaded stays on its device"):
        pipeline("promptable-segmentation", segmenter, device_map=["cpu", "cpu"])
