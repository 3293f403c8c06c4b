"""Makes OpenAI's chat completion of a job's result: whole, or as the chunks of an event stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ovseg_core.vl import description
from worker.job import mask_name
from worker.job.record import Job

DONE = "data: [DONE]\n\n"
NO_TOKENS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@dataclass(frozen=True)
class Form:
    """The form of an answer: whole or as an event stream, and with a text or JSON as its content.

    With `has_usage`, the last chunk of a stream has the usage.
    """

    is_stream: bool
    has_usage: bool
    is_json: bool


@dataclass(frozen=True)
class Completion:
    """The answer to a chat.

    Attributes:
        job: the job, which has succeeded.
        result: its result.
        files: the `files` of its job object, with URLs.
        form: the form of the answer.
    """

    job: Job
    result: dict[str, Any]
    files: dict[str, Any]
    form: Form

    def whole(self) -> dict[str, Any]:
        """Return the completion."""
        message = {"role": "assistant", "content": "".join(self._contents()), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._finish_reason}
        return {**self._head("chat.completion"), "choices": [choice], "usage": NO_TOKENS}

    def events(self) -> str:
        """Return the events of a stream: a chunk for each piece of the content, and one with the finish reason.

        If the client asked for the usage, one more chunk has nothing else.
        """
        has_usage = self.form.has_usage
        deltas = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in self._contents()), {}]
        reasons = [None] * (len(deltas) - 1) + [self._finish_reason]
        usage: dict[str, Any] = {"usage": None} if has_usage else {}
        chunks = [
            self._chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}], usage)
            for delta, reason in zip(deltas, reasons, strict=True)
        ]
        if has_usage:
            chunks.append(self._chunk([], {"usage": NO_TOKENS}))
        return "".join(map(event, chunks)) + DONE

    def _chunk(self, choices: list[dict[str, Any]], usage: dict[str, Any]) -> dict[str, Any]:
        return {**self._head("chat.completion.chunk"), "choices": choices, **usage}

    def _head(self, kind: str) -> dict[str, Any]:
        created = int(self.job.accepted_at.timestamp())
        return {"id": self.job.shown_id, "object": kind, "created": created, "model": self.job.request.model}

    @property
    def _finish_reason(self) -> str:
        return "length" if self.result.get("masks_dropped") else "stop"

    def _contents(self) -> Iterator[str]:
        """Yield the pieces of the content."""
        names = [mask_name.of(info) or mask_name.UNNAMED for info in self.result["maskInfos"]]
        if self.form.is_json:
            yield json.dumps(self._json(names))
            return
        for name, info in zip(names, self.result["maskInfos"], strict=True):
            yield description.line(name, info["box"], _score(info)) + "\n"
        yield description.summary(names)
        links = [f"{kind}: {file['url']}" for kind, file in self.files.items() if not isinstance(file, list)]
        yield "".join(f"\n{link}" for link in links)

    def _json(self, names: list[str]) -> dict[str, Any]:
        masks = [{"size": mask["size"], "counts": mask["rleResult"]} for mask in self.result.get("masks", ())]
        infos = self.result["maskInfos"]
        image = self.job.image or {}
        return {
            "objects": [
                {
                    "name": name,
                    "score": _score(info),
                    "box": info["box"],
                    "area": info["area"],
                    "prompt_index": info.get("prompt_index"),
                    "mask": masks[i] if masks else None,
                }
                for i, (name, info) in enumerate(zip(names, infos, strict=True))
            ],
            "summary": description.summary(names),
            "image": {"width": image.get("width"), "height": image.get("height")},
            "job": self.job.shown_id,
            "files": self.files,
        }


def event(data: dict[str, Any]) -> str:
    """Return an event of a stream."""
    return f"data: {json.dumps(data, separators=(',', ':'))}\n\n"


def _score(info: dict[str, Any]) -> float | None:
    score: float | None = info.get("detection_score", info["score"])
    return score
