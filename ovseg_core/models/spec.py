"""The description of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ovseg_core.errors import OvsegError
from ovseg_core.family import ALL_KINDS, EVERYTHING, Family, Preset
from ovseg_core.models.published import Published
from ovseg_core.networks import NETWORKS
from ovseg_core.prompts import Prompt


@dataclass(frozen=True)
class ModelSpec(Published):
    """A model: weights for a network of `networks.NETWORKS`.

    `falls_to` names a model that is used if this one is not installed: the same weights in another form.
    """

    falls_to: str | None = None

    @property
    def family(self) -> Family:
        return NETWORKS[self.network]

    @property
    def preset(self) -> Preset:
        return self.family.preset

    @property
    def index_file(self) -> str | None:
        return self.family.index_file

    @property
    def input_size(self) -> int:
        """The side of the network's input, in pixels: an image is made that large before it is encoded."""
        return self.preset.input_size or self.preset.canvas_size

    @property
    def takes(self) -> frozenset[str]:
        """The kinds of prompts that the model can take: of `family.ALL_KINDS`.

        These are all kinds if another model may take the place of this one (`falls_to`), because that depends on what
        is installed on the machine that runs the model.
        """
        if not self.is_installed:
            return ALL_KINDS if self.falls_to else self.family.takes
        return self.family.takes_with(self.weights) if self.family.takes_with else self.family.takes

    def check_prompts(self, prompts: Sequence[Prompt], field: str = "prompts") -> None:
        """Raise OvsegError `prompt_not_supported`, with the field `field[i]`, if the model cannot take a prompt."""
        for i, prompt in enumerate(prompts):
            self.check_prompt(prompt, f"{field}[{i}]")

    def check_prompt(self, prompt: Prompt, field: str) -> None:
        """Raise OvsegError `prompt_not_supported`, with this field, if the model cannot take the prompt."""
        takes = self.takes
        if prompt.kind not in takes:
            raise self._not_supported(prompt.kind, takes, field)

    def check_text(self, field: str) -> None:
        """Raise OvsegError `prompt_not_supported`, with this field, if the model cannot take a detector's boxes."""
        takes = self.takes
        if "box" not in takes:
            raise self._not_supported("text", takes, field)

    def check_everything(self, field: str = "prompts") -> None:
        """Raise OvsegError `prompt_not_supported`, with this field, if the model has no everything mode."""
        takes = self.takes
        if EVERYTHING not in takes:
            raise self._not_supported(EVERYTHING, takes, field)

    def _not_supported(self, kind: str, takes: frozenset[str], field: str) -> OvsegError:
        allowed = " or ".join(sorted(takes))
        return OvsegError("prompt_not_supported", f"{self.name} cannot take {kind!r}; it takes only {allowed}", field)
