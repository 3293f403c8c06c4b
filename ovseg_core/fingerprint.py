"""The fingerprint of embeddings: caches that share embeddings have it in their keys."""

from __future__ import annotations

import hashlib

from ovseg_core import digests
from ovseg_core.engines import int8
from ovseg_core.models import ModelSpec

# An embedding depends on the code of these modules, of the network, and of all that they import.
MODULES = ("ovseg_core.encoding", "ovseg_core.image")


def of_embeddings(spec: ModelSpec, weights_sha256: str, precision: str) -> str:
    """Return SHA-256 of everything except the image that an embedding of a model depends on.

    This is the weights, the precision, and our code from the decoding of image files to the network. The engine is not
    part of it, because all engines compute the same.
    """
    code = digests.of_code(*MODULES, spec.family.load.__module__)
    parts = [weights_sha256, spec.network, precision, code]
    if precision == "int8":
        parts.append(int8.digest(spec.weights))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()
