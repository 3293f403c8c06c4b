"""The wire formats of the clients, as their source code expects them, translated to jobs of ovseg.

Each format has only what the callers in callers/ need: an upload, a submission, reading a job.
"""

from __future__ import annotations

import base64
import io
import json
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

HOP_BY_HOP = {"connection", "content-length", "content-encoding", "transfer-encoding", "date", "server", "keep-alive"}
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str]

    @classmethod
    def of(cls, value: Any, status: int = 200) -> Answer:
        return cls(status, json.dumps(value).encode(), JSON)


class Wire(ABC):
    """A client's wire format. `service` is the URL of ovseg's gateway."""

    needs_tls = False
    holds = True  # False: as if each job took longer than the answer to a submission is held

    def __init__(self, service: str) -> None:
        self.service = service
        self._files: dict[str, bytes] = {}
        self._local = threading.local()

    @abstractmethod
    def submits(self, request: Request) -> bool:
        """True if the request submits a job."""

    @abstractmethod
    def reads(self, request: Request) -> bool:
        """True if the request reads a job."""

    @abstractmethod
    def answer(self, request: Request, url: str) -> Answer:
        """Do what the request asks for. `url` is the address to which the client sends its requests."""

    def _send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        answer: requests.Response = self._local.session.request(method, self.service + path, timeout=90, **arguments)
        return answer

    def _keep(self, content: bytes) -> str:
        name = uuid.uuid4().hex
        self._files[name] = content
        return name

    def _submit(self, image: bytes, box: Sequence[float], wait: int = 0) -> Any:
        form = {"request": json.dumps({"prompts": [{"box": box}], "outputs": ["rle"]})}
        answer = self._send("POST", f"/v1/jobs?wait={wait}", files={"image": image}, data=form)
        answer.raise_for_status()
        return answer.json()

    def _job(self, job_id: str) -> Any:
        return self._send("GET", f"/v1/jobs/{job_id}").json()


class Fal(Wire):
    """fal's queue: upload, submit, ask for the status, fetch the result."""

    needs_tls = True

    def submits(self, request: Request) -> bool:
        return (request.method, request.path) == ("POST", "/me/segment")

    def reads(self, request: Request) -> bool:
        return request.path.startswith("/me/segment/requests/")

    def answer(self, request: Request, url: str) -> Answer:
        if request.path.startswith("/storage/auth/token"):
            expires_at = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + 3600))
            token = {"token": "token", "token_type": "Bearer", "base_url": url, "expires_at": expires_at}
            return Answer.of(token)
        if request.path == "/files/upload":
            return Answer.of({"access_url": f"{url}/{self._keep(request.body)}"})
        if self.submits(request):
            asked = request.json()
            image = self._files[asked["image_url"].rpartition("/")[2]]
            job = self._submit(image, asked["box"])
            at = f"{url}/me/segment/requests/{job['id']}"
            links = {"response_url": at, "status_url": f"{at}/status", "cancel_url": f"{at}/cancel"}
            return Answer.of({"request_id": job["id"], **links})
        path = request.path.partition("?")[0].split("/")
        job = self._job(path[4])
        if path[-1] != "status":
            return Answer.of(job["result"])
        if job["status"] == "queued":
            return Answer.of({"status": "IN_QUEUE", "queue_position": 0}, 202)
        return Answer.of({"status": "COMPLETED" if job["is_final"] else "IN_PROGRESS", "logs": None})


class Replicate(Wire):
    """Replicate's predictions: upload, submit and wait in one request, read again if that was too short."""

    def submits(self, request: Request) -> bool:
        return request.path == "/v1/models/me/segment/predictions"

    def reads(self, request: Request) -> bool:
        return request.path.startswith("/v1/predictions/")

    def answer(self, request: Request, url: str) -> Answer:
        if request.path == "/v1/files":
            name = self._keep(_file_of(request))
            facts = {"name": name, "content_type": "", "size": 0, "etag": "", "checksums": {}, "metadata": {}}
            times = {"created_at": "", "expires_at": None}
            return Answer.of({"id": name, **facts, **times, "urls": {"get": f"{url}/v1/files/{name}"}}, 201)
        if self.reads(request):
            return Answer.of(_prediction(self._job(request.path.rpartition("/")[2])))
        asked = request.json()["input"]
        image = self._files[asked["image"].rpartition("/")[2]]
        return Answer.of(_prediction(self._submit(image, asked["box"], 60 if self.holds else 0)), 201)


class Roboflow(Wire):
    """Roboflow's inference server: one request, which is answered with the result."""

    def submits(self, request: Request) -> bool:
        return request.path.startswith("/sam2/segment_image")

    def reads(self, request: Request) -> bool:
        return False

    def answer(self, request: Request, url: str) -> Answer:
        asked = request.json()
        box = asked["prompts"]["prompts"][0]["box"]
        x0, y0 = box["x"] - box["width"] / 2, box["y"] - box["height"] / 2
        job = self._submit(
            base64.b64decode(asked["image"]["value"]), [x0, y0, x0 + box["width"], y0 + box["height"]], 60
        )
        return Answer.of({"time": 0.0, "predictions": job["result"]["masks"]})


class Ovseg(Wire):
    """Our own: requests and answers are passed on as they are."""

    def submits(self, request: Request) -> bool:
        return request.method in ("POST", "PUT") and request.path.startswith(("/v1/jobs", "/v1/batches"))

    def reads(self, request: Request) -> bool:
        return request.method == "GET"

    def answer(self, request: Request, url: str) -> Answer:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        path = request.path if self.holds or not self.submits(request) else request.path.partition("?")[0]
        answer = self._send(request.method, path, headers=headers, data=request.body, allow_redirects=False)
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        return Answer(answer.status_code, answer.content, kept)


WIRES: dict[str, type[Wire]] = {"fal": Fal, "replicate": Replicate, "roboflow": Roboflow, "ovseg": Ovseg}


def _file_of(request: Request) -> bytes:
    mimetype, options = parse_options_header(request.headers["Content-Type"])
    _, _, files = FormDataParser().parse(io.BytesIO(request.body), mimetype, len(request.body), options)
    content: bytes = files["content"].read()
    return content


def _prediction(job: Mapping[str, Any]) -> dict[str, Any]:
    status = {"queued": "starting", "running": "processing"}.get(job["status"], job["status"])
    return {
        "id": job["id"],
        "model": "me/segment",
        "version": "1",
        "status": status,
        "input": {},
        "output": job["result"],
        "logs": "",
        "error": job["error"],
        "metrics": None,
        "created_at": job["accepted_at"],
        "started_at": job["started_at"],
        "completed_at": job["completed_at"],
        "urls": {},
    }
