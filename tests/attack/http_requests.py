"""Requests that no one should send: crude ones, and valid ones with something wrong."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np

from ovseg_core import header
from ovseg_core.mask import Mask
from tests.attack import nasty, wire

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND", "\x01")
PATHS = (
    "/",
    "/healthz",
    "/readyz",
    "/health",
    "/metrics",
    "/v1/jobs",
    "/v1/jobs/{id}",
    "/v1/jobs/{id}/cancel",
    "/v1/jobs/{id}/retry",
    "/v1/jobs/{id}/webhook-deliveries",
    "/v1/jobs/{id}/files",
    "/v1/jobs/cancel",
    "/v1/jobs/delete",
    "/v1/batches",
    "/v1/batches/{id}",
    "/v1/batches/{id}/cancel",
    "/v1/batches/{id}/retry",
    "/v1/batches/{id}/results",
    "/v1/models",
    "/v1/models/{id}",
    "/v1/usage",
    "/v1/fleet",
    "/v1/usage/tenants",
    "/v1/usage/tenants/{id}",
    "/openapi.json",
    "/docs",
    "/docs/{id}",
    "/v1/embeddings",
    "/v1/events/{id}",
    "/v1/events/{id}/redeliver",
    "/v1/webhook-endpoints",
    "/v1/webhook-endpoints/{id}",
    "/v1/webhook-endpoints/{id}/events",
    "/v1/webhook-endpoints/{id}/replay",
    "/v1/webhook-endpoints/{id}/rotate-secret",
    "/v1/webhook-endpoints/{id}/test",
    "/v1/webhook-secret/rotate",
    "/v1/keys",
    "/v1/keys/{id}",
    "/v1/keys/{id}/rotate",
    "/v1/keys/{id}/revoke",
    "/open-vocabulary-segmentation",
    "/open-vocabulary-detection",
    "/v1/chat/completions",
    "//evil.invalid/v1/jobs",
    "/../../etc/passwd",
    "http://evil.invalid/v1/jobs",
    "*",
)
QUERIES = (
    "limit",
    "cursor",
    "status",
    "wait",
    "workers",
    "colour",
    "since",
    "until",
    "accepted_after",
    "metadata.a",
    "",
)
QUERY_VALUES = ("1", "0", "x", "%D9%A3", "%00", "1&limit=2", "nan", "-1", "0001-01-01", "9999-12-31T23:59:59-23:59")
HEADERS = (
    "Content-Type",
    "Content-Length",
    "Transfer-Encoding",
    "Content-Encoding",
    "Host",
    "Origin",
    "Authorization",
    "Access-Control-Request-Method",
    "Sec-Fetch-Site",
    "Idempotency-Key",
    "Prefer",
    "If-None-Match",
    "X-Request-Id",
    "Expect",
    "Accept",
    "Range",
    "Cookie",
    "X-Forwarded-For",
)
HEADER_VALUES = (
    "application/json",
    "text/plain",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "chunked",
    "gzip",
    "gzip, chunked",
    "identity",
    "0",
    "-1",
    "1" * 30,
    "١٢",
    "wait=1",
    "wait=٣",
    "100-continue",
    "Bearer ovk_0123456789abcdef_" + "A" * 43,
    "Basic /////w==",
    'W/"x", *',
    "https://evil.invalid",
    "null",
    "cross-site",
    "evil.invalid",
    '"key"',
    "x" * 5_000,
)
ENDPOINT = {"url": "https://hooks.example.invalid/a", "events": ["job.succeeded"], "description": "the archive"}
SPAN = {"since": "2026-11-20T00:00:00Z", "until": "2026-11-21T00:00:00Z"}

TEXTS = [
    {"text": "dog"},
    {"text": ["a cat", "remote control"], "box": [1, 1, 18, 18], "name": "pets"},
    {"points": [[5, 5]]},
]


def job(image: bytes) -> dict[str, Any]:
    """Return a request with every field, for an image of at least 20 x 20."""
    return {
        "image": base64.b64encode(image).decode(),
        "prompts": [{"box": [1, 1, 18, 18]}, {"points": [[5, 5], [9, 9]], "labels": [1, 0]}],
        "model": "SAM-Lite",
        "device": "cpu",
        "outputs": ["rle", "png", "polygons", "overlay"],
        "metadata": {"a": ["b", {"c": 1}]},
        "webhook": {"url": "https://hooks.example.invalid/", "events": ["job.failed"]},
        "deadline": {"start_within_s": 600, "run_within_s": 600},
    }


def crude(dice: random.Random) -> bytes:
    """Return a request of a method, target, headers and body that are chosen independently."""
    if dice.random() < 0.1:
        return dice.randbytes(dice.choice([1, 20, 5_000]))
    headers = [(dice.choice(HEADERS), dice.choice(HEADER_VALUES)) for _ in range(dice.randrange(5))]
    body = dice.choice([b"", b"{}", b"[]", b"0\r\n\r\n", b"zz\r\n{}\r\n", dice.randbytes(300)])
    request = wire.build(dice.choice(METHODS), target(dice), headers, body)
    return nasty.bytes_changed(request, dice) if dice.random() < 0.3 else request


def target(dice: random.Random) -> str:
    path = dice.choice(PATHS).replace("{id}", dice.choice(["no-such", "%00", "%ff", "a" * 300, "..%2f..", "ep_1"]))
    if dice.random() < 0.4:
        path += f"?{dice.choice(QUERIES)}={dice.choice(QUERY_VALUES)}"
    return path


def nearly_valid(image: bytes) -> Callable[[random.Random], bytes]:
    """Return a function that makes requests that are valid except in one to three places."""
    request = job(image)
    paddlex = {"image": request["image"], "prompt": [[1, 1, 18, 18]], "promptType": "box", "visualize": True}
    everything = {**request, "prompts": {"everything": {"points_per_side": 2, "pred_iou_thresh": 0.5}}}
    of_masks = [{"mask": _mask(image), "points": [[5, 5]]}, {"mask": {"job": "attack-0", "index": 0}}]
    bodies: list[tuple[str, str, Any]] = [
        ("POST", "/v1/jobs", request),
        ("POST", "/v1/jobs", request),
        ("POST", "/v1/jobs", everything),
        ("POST", "/v1/jobs", {**request, "prompts": of_masks, "multimask": "all"}),
        ("PUT", "/v1/jobs/attack-{n}", request),
        ("POST", "/v1/embeddings", {"image": request["image"], "metadata": {"a": 1}}),
        ("POST", "/v1/jobs", {**request, "prompts": TEXTS, "detection": {"box_threshold": 0.5, "max_objects": 3}}),
        ("POST", "/open-vocabulary-segmentation", paddlex),
        ("POST", "/open-vocabulary-segmentation", {**paddlex, "prompt": ["dog", "cat"], "promptType": "text"}),
        (
            "POST",
            "/open-vocabulary-detection",
            {**paddlex, "prompt": "dog . cat .", "thresholds": {"box_threshold": 0.5}},
        ),
        ("POST", "/v1/chat/completions", {"messages": [_question(request["image"])], "model": "SAM-Lite"}),
        ("POST", "/v1/chat/completions", {"messages": [_question(request["image"])], "stream": True}),
        ("POST", "/v1/webhook-endpoints", ENDPOINT),
        ("PATCH", "/v1/webhook-endpoints/ep_0", ENDPOINT),
        ("POST", "/v1/webhook-endpoints/ep_0/replay", SPAN),
    ]

    def make(dice: random.Random) -> bytes:
        method, path, document = dice.choice(bodies)
        path = path.replace("{n}", str(dice.randrange(50)))
        if path == "/v1/jobs" and method == "POST" and dice.random() < 0.3:
            return _multipart(path, image, document, dice)
        headers = [("Content-Type", "application/json")]
        if dice.random() < 0.2:
            headers.append((dice.choice(HEADERS[2:]), dice.choice(HEADER_VALUES)))
        return wire.build(method, path, headers, nasty.dumped(nasty.changed(document, dice), dice))

    return make


def _question(image: str) -> dict[str, Any]:
    """Return a message about an image in base64."""
    url = {"url": f"data:image/png;base64,{image}"}
    text = "box: 1,1,18,18\npoint: 5,5; point: 9,9,0"
    return {"role": "user", "content": [{"type": "text", "text": text}, {"type": "image_url", "image_url": url}]}


def _mask(image: bytes) -> dict[str, Any]:
    """Return a mask prompt for the image."""
    height, width = header.read(image, 10**8).image_hw
    mask = Mask.of_crop(np.ones((10, 10), bool), (4, 4), (height, width), None)
    return {"rle": {"size": [height, width], "counts": mask.counts}}


def _multipart(path: str, image: bytes, document: dict[str, Any], dice: random.Random) -> bytes:
    fields = nasty.changed({name: value for name, value in document.items() if name != "image"}, dice)
    parts = [("image", b'; filename="a.png"', image), ("request", b"", nasty.dumped(fields, dice))]
    parts += dice.choice([[], [], [parts[0]], [parts[1]], [("x", b"", b"y")] * 1_200])
    body = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (name.encode(), more, data)
        for name, more, data in parts
    )
    body += dice.choice([b"--b--\r\n", b"--b--\r\n", b"", b"--c--\r\n"])
    kind = dice.choice(
        ["multipart/form-data; boundary=b"] * 4 + ["multipart/form-data", "multipart/form-data; boundary="]
    )
    return wire.build("POST", path, [("Content-Type", kind)], body)


def with_image(image: bytes) -> bytes:
    """Return a valid multipart submission of this file."""
    fields = json.dumps({"prompts": [{"box": [0, 0, 18, 18]}], "outputs": ["rle", "overlay"]}).encode()
    body = (
        b'--ovseg-b\r\nContent-Disposition: form-data; name="request"\r\n\r\n%s\r\n'
        b'--ovseg-b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n%s\r\n--ovseg-b--\r\n'
    ) % (fields, image)
    return wire.build("POST", "/v1/jobs", [("Content-Type", "multipart/form-data; boundary=ovseg-b")], body)
