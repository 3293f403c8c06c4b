"""Decoding a batch of prompts, of one image or several, gives the same masks as decoding its items one by one."""

from __future__ import annotations

import numpy as np
import pytest

from ovseg_core import models, networks
from ovseg_core.network import Features, Network, PromptBatch, by_image
from tests.support import sam_weights, small_sam, small_sam2

ENGINES = ("openvino", "onnxruntime", "paddle")


@pytest.fixture(
    scope="module",
    params=[*(f"{network} {engine}" for network in ("sam_lite", "sam") for engine in ENGINES), "sam2 openvino"],
)
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Network:
    name, engine = request.param.split()
    if name == "sam_lite":
        spec = models.find("SAM-Lite")
        return networks.load(name, spec.weights, "cpu", engine, "float32")
    folder = tmp_path_factory.mktemp("sam")
    if name == "sam2":
        weights = small_sam2.file(folder)
        return small_sam2.on(engine, small_sam2.load(weights), weights)
    return small_sam.on(engine, small_sam.load(folder), folder)


@pytest.fixture(scope="module")
def images(network: Network) -> list[Features]:
    """Two images."""
    shape = (2, 3, network.canvas_size, network.canvas_size)
    return network.encode(np.random.default_rng(5).normal(size=shape).astype(np.float32))


def boxes(count: int, seed: int) -> PromptBatch:
    low = np.random.default_rng(seed).uniform(0, sam_weights.CANVAS / 2, (count, 2))
    return PromptBatch(np.concatenate([low, low + sam_weights.CANVAS / 4], 1).astype(np.float32))


def click(seed: int) -> PromptBatch:
    point = np.random.default_rng(seed).uniform(0, sam_weights.CANVAS, (1, 1, 2)).astype(np.float32)
    return PromptBatch(points=point, labels=np.ones((1, 1), np.float32))


def mask_and_click(seed: int) -> PromptBatch:
    y, x = np.mgrid[:80, :80].astype(np.float32)  # a grid of 80 over the canvas
    disc = np.clip(30 - np.hypot(x - 30 - seed, y - 40), -10, 10)
    return click(seed)._replace(mask_inputs=disc[None])


@pytest.mark.parametrize("kind", ["boxes", "clicks", "masks and clicks"])
def test_an_item_has_the_same_masks_in_a_batch_and_alone(network: Network, images: list[Features], kind: str) -> None:
    first, second = images
    features_of_items = [first, second, first, second, second]
    make = {"boxes": lambda n: boxes(n % 3 + 1, n), "clicks": click, "masks and clicks": mask_and_click}[kind]
    prompts = [make(n) for n in range(len(features_of_items))]
    batch = list(zip(features_of_items, prompts, strict=True))
    for multimask_output in (None, True, False):
        answers = network.decode_batch(batch, multimask_output)
        for (features, item), answer in zip(batch, answers, strict=True):
            alone = network.decode(features, item, multimask_output)
            assert answer.logits.shape == alone.logits.shape
            for found, expected in zip(vars(answer).values(), vars(alone).values(), strict=True):
                assert np.allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_the_items_of_a_batch_are_grouped_by_image(images: list[Features]) -> None:
    first, second = images
    batch = [(first, boxes(1, 0)), (second, boxes(1, 1)), (first, boxes(2, 2))]
    assert by_image(batch) == [[0, 2], [1]]
