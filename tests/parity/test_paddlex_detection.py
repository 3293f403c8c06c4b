"""PaddleX 3.7.2's texts, boxes and labels of `open_vocabulary_detection`, beside ours, with random logits.

No inference folder of GroundingDINO-T was available here, so PaddleX's network did not run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ovseg_core.grounding_dino import tokenizer
from ovseg_core.paddlex import config as configuration
from ovseg_core.paddlex import detection_prompt
from ovseg_core.paddlex.detection_prompt import Prompt
from ovseg_core.paddlex.thresholds import Thresholds

pytest.importorskip("paddlex")

WORDS = "bus . walking man ? it's don't can't we've they're I'm o'clock t-shirt café \N{DOG FACE} 猫 unaffable ! , '"
DRAWN = np.random.default_rng(0)
PROMPTS = [
    "bus . walking man . rearview mirror .",
    " bus",
    "bus . . ? man ?",
    *(" ".join(DRAWN.choice(WORDS.split(), int(DRAWN.integers(1, 12)))) + " cat ." for _ in range(40)),
]
IMAGE_HW = (427, 640)


@pytest.fixture(scope="module")
def tokens_of_paddlex(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from paddlex.inference.models.common.tokenizer.bert_tokenizer import BertTokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "vocab.txt").write_bytes(tokenizer.VOCABULARY.read_bytes())
    return BertTokenizer.from_pretrained(str(folder))


@pytest.mark.parametrize("given", PROMPTS)
def test_texts_boxes_and_labels_are_paddlex_s(given: str, tokens_of_paddlex: Any) -> None:
    from paddlex.inference.models.open_vocabulary_detection.processors import groundingdino_processors as theirs

    prompt, count = Prompt.of(given), len(Prompt.of(given).tokens)
    processor = theirs.GroundingDinoTextProcessor()
    ended = processor.pre_caption(given)
    text = processor(
        tokens_of_paddlex([ended]).input_ids, tokens_of_paddlex.convert_tokens_to_ids(["[CLS]", "[SEP]", ".", "?"])
    )
    assert text["input_ids"].numpy()[0].tolist() == list(prompt.tokens)
    assert (text["position_ids"].numpy()[0] == prompt.text.positions[:count]).all()
    assert (text["text_self_attention_masks"].numpy()[0] == (prompt.text.self_mask[:count, :count] == 0)).all()

    rng = np.random.default_rng(1)
    logits = rng.normal(-2, 2, (50, len(prompt.text.tokens))).astype(np.float32)
    logits[:, count:] = -1e9
    boxes = rng.uniform(0, 1, (50, 4)).astype(np.float32)
    [expected] = theirs.GroundingDINOPostProcessor(tokens_of_paddlex)(
        boxes[None], logits[None], ended, [np.zeros((*IMAGE_HW, 3), np.uint8)], 0.3, 0.25
    )
    found = detection_prompt.boxes(prompt, logits, boxes, IMAGE_HW, Thresholds())
    assert len(found) > 5
    assert [box["label"] for box in found] == [box["label"] for box in expected]
    assert [box["score"] for box in found] == pytest.approx([box["score"] for box in expected], abs=1e-6)
    corners = [np.array([box["coordinate"] for box in several]) for several in (found, expected)]
    assert corners[0] == pytest.approx(corners[1], abs=1e-3)


def test_the_configuration_is_paddlex_s() -> None:
    import paddlex

    path = Path(paddlex.__file__).parent / "configs" / "pipelines" / "open_vocabulary_detection.yaml"
    assert yaml.safe_load(configuration.default("open_vocabulary_detection")) == yaml.safe_load(path.read_text())
