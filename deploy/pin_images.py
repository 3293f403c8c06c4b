"""Write the current digest of each base image after its exact tag: `make pin-images`.

The digests are read from the registries with `docker buildx`, which needs no running engine. If one digest cannot be
read, no file is changed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# A line that names an image by its tag, with or without the digest of an earlier run. Images without a tag are our own.
REFERENCE = re.compile(
    r"^(?P<before>ARG PYTHON_IMAGE=|\s+image: )(?P<image>[\w./-]+:[\w.-]+)(?P<digest>@sha256:[0-9a-f]{64})?$",
    re.MULTILINE,
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Unreadable(Exception):
    """A digest could not be read. The message names the image and the reason."""


def pin(root: Path) -> dict[str, str]:
    """Write the digests to the files under `root`, and return them by image. Raises Unreadable."""
    files = [root / "docker-compose.yml", *sorted((root / "deploy").glob("*.Dockerfile"))]
    texts = {file: file.read_text() for file in files}
    images = sorted({found["image"] for text in texts.values() for found in REFERENCE.finditer(text)})
    digests = {image: _digest(image) for image in images}
    for file, text in texts.items():
        file.write_text(
            REFERENCE.sub(lambda found: f"{found['before']}{found['image']}@{digests[found['image']]}", text)
        )
    return digests


def _digest(image: str) -> str:
    docker = shutil.which("docker")
    if docker is None:
        raise Unreadable("`docker` is not installed; its buildx reads the digests")
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
