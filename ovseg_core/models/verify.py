"""Compare weights on this machine with what is published about them, or with the record of what was fetched."""

from __future__ import annotations

from typing import NamedTuple

from ovseg_core.models import record
from ovseg_core.models.published import Published
from ovseg_core.models.record import FileSum, Record


class Verdict(NamedTuple):
    is_wrong: bool
    text: str


def verify(spec: Published) -> Verdict:
    """Compare weights with the published SHA-256, or with the recorded one if none is published.

    This reads the whole files. Weights with neither a published nor a recorded SHA-256 are not wrong.
    """
    if not spec.is_installed:
        return Verdict(True, "it is not installed")
    if spec.is_bundled:
        return Verdict(False, "present; no checksum is published")
    if not spec.is_folder:  # the published values of a folder are those of its archive
        found = FileSum.of(spec.weights)
        if wrong := found.difference(spec.size, spec.sha256):
            return Verdict(True, wrong)
        if spec.sha256 is not None:
            return Verdict(False, "as published")
    return _compared_with_record(spec)


def _compared_with_record(spec: Published) -> Verdict:
    again = f"`ovseg models verify --record {spec.name}` records the files as they are now"
    try:
        known = record.read(spec.weights)
    except ValueError as error:
        return Verdict(True, f"{error}; {again}")
    if known is None:
        return Verdict(False, f"present; no checksum is published, and none was recorded by a download; {again}")
    if wrong := known.difference(spec.weights):
        return Verdict(True, f"{wrong} (the record is not the publisher's: {known.origin}); {again}")
    return Verdict(
        False, f"unchanged since it was {known.origin}; this is not the publisher's checksum: none is published"
    )


def record_now(spec: Published) -> Verdict:
    """Record weights as they are now. If their SHA-256 is published, compare them with it instead."""
    if not spec.is_installed or spec.is_bundled or (spec.sha256 is not None and not spec.is_folder):
        return verify(spec)
    try:
        Record.now(spec.weights.name, None, record.sums(spec.weights)).write(spec.weights)
    except OSError as error:
        return Verdict(True, f"{record.path(spec.weights)} cannot be written: {error.strerror}")
    return Verdict(False, f"recorded in {record.path(spec.weights)}")
