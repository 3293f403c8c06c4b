"""Write the digest of each base image behind its exact tag, as its registry has it now: `make pin-images`.

Wants `docker buildx`, which reads registries without an engine. Where one digest cannot be read, nothing is written.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# An image by tag, with or without the digest of an earlier run, after what names it. Images without a tag are our own.
REFERENCE = re.compile(
    r"^(?P<before>ARG PYTHON_IMAGE=|\s+image: )(?P<image>[\w./-]+:[\w.-]+)(?P<digest>@sha256:[0-9a-f]{64})?$",
    re.MULTILINE,
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Unreadable(Exception):
    """A digest could not be read; the message says which and why."""


def pin(root: Path) -> dict[str, str]:
    """The digests by image, after writing them to the files under `root`. Raises Unreadable."""
    files = [root / "docker-compose.yml", *sorted((root / "deploy").glob("*.Dockerfile"))]
    texts = {file: file.read_text() for file in files}
    images = sorted({found["image"] for text in texts.values() for found in REFERENCE.finditer(text)})
    digests = {image: _digest(image) for image in images}
    for file, text in texts.items():
        file.write_text(REFERENCE.sub(lambda at: f"{at['before']}{at['image']}@{digests[at['image']]}", text))
    return digests


def _digest(image: str) -> str:
    docker = shutil.which("docker")
    if docker is None:
        raise Unreadable("there is no `docker` here, whose buildx reads the digests")
    command = [docker, "buildx", "imagetools", "inspect", image, "--format", "{{.Manifest.Digest}}"]
    ran = subprocess.run(command, capture_output=True, text=True)
    digest = ran.stdout.strip()
    if ran.returncode or not DIGEST.fullmatch(digest):
        why = (ran.stderr.strip() or digest or "no answer").splitlines()[0]
        raise Unreadable(f"cannot read the digest of {image}: {why}")
    return digest


if __name__ == "__main__":
    try:
        pinned = pin(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
    except Unreadable as error:
        sys.exit(f"{error}; nothing was changed")
    sys.stdout.writelines(f"{image}@{digest}\n" for image, digest in pinned.items())
