"""Bodies of requests for jobs, as examples in the OpenAPI document. A test sends each of them."""

from __future__ import annotations

from typing import Any

IMAGE = "https://example.com/photo.jpg"

JOBS: dict[str, Any] = {
    "A box and a click": {"image": IMAGE, "prompts": [{"box": [140, 10, 305, 180]}, {"points": [[220, 90]]}]},
    "All masks of a click": {
        "image": IMAGE,
        "prompts": [{"points": [[220, 90], [150, 20]], "labels": [1, 0]}],
        "multimask": "all",
        "outputs": ["rle", "polygons"],
        "polygons": {"tolerance": 1.5},
    },
    "All objects": {"image": IMAGE, "prompts": {"everything": {"points_per_side": 16}}},
    "Objects by their names": {
        "image": IMAGE,
        "prompts": [{"text": "remote control"}, {"text": ["dog", "cat"], "box": [140, 10, 305, 180]}],
        "detection": {"box_threshold": 0.35},
    },
    "Boxes of a data set": {
        "image": IMAGE,
        "on_invalid_prompt": "skip",
        "prompts": [{"box": [140, 10, 305, 180], "id": 1768, "name": "astronaut"}, {"box": [20, 20, 20, 44]}],
        "metadata": {"split": "train"},
    },
    "With a webhook and a deadline": {
        "image": IMAGE,
        "prompts": [{"box": [140, 10, 305, 180]}],
        "model": "SAM-Lite",
        "webhook": {"url": "https://hooks.example.com/ovseg", "events": ["job.succeeded", "job.failed"]},
        "deadline": {"start_within_s": 60, "run_within_s": 30},
    },
    "In PaddleX's words": {"image": IMAGE, "prompt": [[140, 10, 305, 180]], "promptType": "box"},
}
EMBEDDINGS: dict[str, Any] = {"An image": {"image": IMAGE, "model": "SAM-Lite"}}
CHATS: dict[str, Any] = {
    "Phrases": {
        "model": "SAM-Lite",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "dog, remote control"},
                    {"type": "image_url", "image_url": {"url": IMAGE}},
                ],
            }
        ],
    },
    "A box and a point, as JSON": {
        "model": "SAM-Lite",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "box: 140,10,305,180\npoint: 220,90"},
                    {"type": "image_url", "image_url": {"url": IMAGE}},
                ],
            }
        ],
        "response_format": {"type": "json_object"},
    },
}
PADDLEX: dict[str, Any] = {
    "A box": {"image": IMAGE, "prompt": [[140, 10, 305, 180]], "promptType": "box"},
    "Phrases": {"image": IMAGE, "prompt": ["bus", "walking man"], "promptType": "text"},
}
PADDLEX_DETECT: dict[str, Any] = {
    "Phrases": {"image": IMAGE, "prompt": "bus . walking man .", "thresholds": {"box_threshold": 0.3}}
}
