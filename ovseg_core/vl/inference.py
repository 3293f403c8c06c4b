"""`pipeline`: prompts of text and images in the forms of LMDeploy, answered with objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ovseg_core import devices, image_source, text_prompt
from ovseg_core.embedding import Embedding
from ovseg_core.errors import OvsegError
from ovseg_core.found_box import FoundBox
from ovseg_core.mask import Mask
from ovseg_core.models.locating import located
from ovseg_core.paddlex import detection_model
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter
from ovseg_core.text_prompt import TextPrompt
from ovseg_core.vl import description, request
from ovseg_core.vl.engine_config import EngineConfig
from ovseg_core.vl.generation_config import GenerationConfig
from ovseg_core.vl.request import Request
from ovseg_core.vl.response import OBJECT, FoundObject, Response

if TYPE_CHECKING:
    from ovseg_core.grounding_dino.detector import Detector

OnePrompt = tuple[Any, Any] | list[dict[str, Any]]  # a pair of text and images, or messages
Prompts = OnePrompt | list[tuple[Any, Any]] | list[list[dict[str, Any]]]
Configs = GenerationConfig | Sequence[GenerationConfig] | None


class Pipeline:
    """A model with the interface of LMDeploy's pipelines; `pipeline` makes it. Use it from one thread at a time."""

    def __init__(self, segmenter: Segmenter, backend_config: EngineConfig) -> None:
        self._segmenter, self.backend_config = segmenter, backend_config

    @overload
    def __call__(self, prompts: OnePrompt, gen_config: Configs = None) -> Response: ...
    @overload
    def __call__(
        self, prompts: list[tuple[Any, Any]] | list[list[dict[str, Any]]], gen_config: Configs = None
    ) -> list[Response]: ...
    def __call__(self, prompts: Prompts, gen_config: Configs = None) -> Response | list[Response]:
        """Answer a prompt, or a list of prompts.

        Args:
            prompts: (text, image) or (text, [image, ...]), in either order; messages in the format of OpenAI's chat,
                [{"role": "user", "content": [{"type": "text", "text": ...}, {"type": "image_url", "image_url": {"url":
                ...}}]}]; or a list of pairs or of such lists. `instruction` describes what a text can say. An image is
                given in any form of `image_source.read`.
            gen_config: how objects are found; a list has one for each prompt.

        Returns:
            A response; a list of them for a list of prompts.

        Raises:
            OvsegError: a prompt is wrong or not within its image; `model_not_installed` if a text has phrases and the
                detector is not on this machine; or an image cannot be read.
            FileNotFoundError: there is no such image.
            ValueError: a prompt has another form, or there is not one `gen_config` for each prompt.
        """
        requests = self._requests(prompts, gen_config)
        parts: list[list[Response]] = [[] for _ in requests]
        for part in self._parts(requests):
            parts[part.index].append(part)
        whole = [
            Response(
                "".join(part.text for part in several),
                [found for part in several for found in part.objects],
                i,
                several[-1].finish_reason,
            )
            for i, several in enumerate(parts)
        ]
        return whole[0] if request.is_single(prompts) else whole

    def stream_infer(self, prompts: Prompts, gen_config: Configs = None) -> Iterator[Response]:
        """Answer prompts part by part: a part for each object, when it is decoded, and one at the end of each prompt.

        In everything mode, the objects of an image are chosen when all its clicks are decoded; their parts follow each
        other then. Arguments and errors are those of `__call__`; prompts are checked before the first part is
        requested, and images are read when they are needed.
        """
        return self._parts(self._requests(prompts, gen_config))

    def _requests(self, prompts: Prompts, gen_config: Configs) -> list[Request]:
        several: Sequence[Any] = [prompts] if request.is_single(prompts) else prompts
        if gen_config is None or isinstance(gen_config, GenerationConfig):
            configs = [gen_config or GenerationConfig()] * len(several)
        else:
            configs = list(gen_config)
        if len(configs) != len(several):
            raise ValueError(f"{len(configs)} gen_config for {len(several)} prompts; give one, or one for each prompt")
        pairs = zip(several, configs, strict=True)
        requests = [Request.of(prompt, config, self.backend_config) for prompt, config in pairs]
        if any(one.has_text for one in requests):
            self._detector  # noqa: B018  # it is loaded now, so that a missing one is an error of the call
        return requests

    def _parts(self, requests: Sequence[Request]) -> Iterator[Response]:
        images = [(index, i) for index, one in enumerate(requests) for i in range(len(one.images))]
        names: list[str] = []
        is_full = False
        for start in range(0, len(images), self.backend_config.max_batch_size):
            batch = images[start : start + self.backend_config.max_batch_size]
            pixels = [image_source.read(requests[index].images[i]) for index, i in batch]
            embeddings = self._segmenter.encode_batch(pixels)
            for (index, i), image_rgb, embedding in zip(batch, pixels, embeddings, strict=True):
                one, count = requests[index], 0
                shown = i if len(one.images) > 1 else None
                for found in self._objects(one, i, image_rgb, embedding):
                    count += found.is_searched
                    names.append(found.name)
                    line = description.line(found.name, found.box_xyxy, found.score, shown)
                    yield Response(f"{line}\n", [found], index)
                is_full |= count >= one.config.max_objects
                if i == len(one.images) - 1:
                    yield Response(description.summary(names), [], index, "length" if is_full else "stop")
                    names, is_full = [], False

    def _objects(
        self, one: Request, image_index: int, image_rgb: np.ndarray, embedding: Embedding
    ) -> Iterator[FoundObject]:
        if not one.asked:
            *_, last = self._segmenter.everything(image_rgb, embedding, **one.config.everything)
            for answer in last.answers[: one.config.max_objects]:
                yield FoundObject(OBJECT, answer.mask, answer.mask.score, image_index, {})
            return
        asked = [found for prompt in one.asked for found in self._found(prompt, image_rgb)]
        size = self._segmenter.spec.preset.prompts_per_batch
        for start in range(0, len(asked), size):
            batch = asked[start : start + size]
            prompts = [found if isinstance(found, Prompt) else Prompt(box=found.box) for found in batch]
            for found, mask in zip(batch, self._segmenter.decode(embedding, prompts), strict=True):
                yield _object(found, mask, image_index)

    def _found(self, prompt: TextPrompt | Prompt, image_rgb: np.ndarray) -> Sequence[Prompt | FoundBox]:
        """Return what to decode for a prompt: itself, or for phrases the boxes that the detector finds."""
        if isinstance(prompt, Prompt):
            return [prompt]
        return text_prompt.found(self._detector, image_rgb, prompt)

    @cached_property
    def _detector(self) -> Detector:
        config = self.backend_config
        return detection_model.opened(config.detector, None, config.device, config.engine)


def _object(found: Prompt | FoundBox, mask: Mask, image_index: int) -> FoundObject:
    if isinstance(found, Prompt):
        return FoundObject(OBJECT, mask, mask.score, image_index, found.to_dict())
    return FoundObject(found.phrase, mask, found.score, image_index, {"text": found.phrase}, found.box)


def pipeline(
    model: str = "SAM-Lite", backend_config: EngineConfig | None = None, *, chat_template_config: Any = None
) -> Pipeline:
    """Load a model for prompts of text and images, as LMDeploy's function of this name does.

    https://lmdeploy.readthedocs.io/zh-cn/latest/multi_modal/vl_pipeline.html

    Args:
        model: a name in `ovseg models list`. Weights that are not installed are downloaded.
        backend_config: where and how it runs. It also names the detector for phrases, which is never downloaded.
        chat_template_config: refused: chat templates are for language models.

    Returns:
        The pipeline.

    Raises:
        OvsegError: `unknown_model`; `invalid_options` for a chat template.
        PullFailed: the weights could not be downloaded; the message contains where to put the file.
        ValueError: there is no such device, engine or precision for the model here.
    """
    if chat_template_config is not None:
        message = "a chat template formats text for a language model, and there is none here: leave it out"
        raise OvsegError("invalid_options", message, "chat_template_config")
    config = backend_config or EngineConfig()
    spec = located(model, None)
    return Pipeline(Segmenter.of(spec, config.device or devices.default(), config.engine, config.precision), config)
