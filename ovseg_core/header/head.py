"""The header of an image file as a value, and the three errors for a file that is refused."""

from __future__ import annotations

from dataclasses import dataclass

from ovseg_core.errors import OvsegError

TURNED_BY_90 = (5, 6, 7, 8)  # EXIF orientations that swap width and height


@dataclass(frozen=True)
class Header:
    """`format` is one of FORMATS; `stored_hw` is (height, width) in pixels, as stored in the file.

    `orientation` is 1 to 8 as EXIF numbers it: how the stored pixels must be turned to be upright.
    """

    format: str
    stored_hw: tuple[int, int]
    orientation: int = 1

    @property
    def image_hw(self) -> tuple[int, int]:
        """(height, width) of the upright image."""
        height, width = self.stored_hw
        return (width, height) if self.orientation in TURNED_BY_90 else (height, width)


def unreadable(message: str) -> OvsegError:
    """The file is broken."""
    return OvsegError("image_unreadable", message, "image")


def unsupported(message: str) -> OvsegError:
    """The file may be valid, but this kind is not supported."""
    return OvsegError("image_format_unsupported", message, "image")


def too_costly(message: str) -> OvsegError:
    """Reading the file would take more time or memory than any honest file of its size."""
    return OvsegError("image_too_costly", message, "image")
