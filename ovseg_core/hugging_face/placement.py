"""Devices as transformers names them: `device` and `device_map`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ovseg_core import devices

AUTOMATIC = ("auto", "balanced", "balanced_low_0", "sequential")  # transformers' plans; here they mean the same


def of(device: Any, device_map: Any) -> tuple[str, ...]:
    """Return the devices that a pipeline uses, by the names of `devices`; each gets the whole network.

    Args:
        device: a number, -1 for the CPU; "cpu", "cuda", "cuda:1", or a name of `devices`; or a device of torch. None is
            the first GPU that Paddle can use, or the CPU if there is none.
        device_map: "auto" for all GPUs that Paddle can use, or the CPU if there is none; a device; a list of devices;
            or a mapping of parts of a network to devices, of which only the devices are used.

    Raises ValueError if both are given, or one is not a device.
    """
    if device_map is None:
        return (devices.default() if device is None else _named(device),)
    if device is not None:
        raise ValueError("give device or device_map, not both: device_map contains the devices")
    if isinstance(device_map, str) and device_map in AUTOMATIC:
        return tuple(f"gpu:{i}" for i in range(devices.gpus())) or ("cpu",)
    if isinstance(device_map, Mapping):
        device_map = list(dict.fromkeys(device_map.values()))
    several = device_map if isinstance(device_map, Sequence) and not isinstance(device_map, str) else [device_map]
    if not several:
        raise ValueError("device_map contains no device")
    return tuple(map(_named, several))


def _named(given: Any) -> str:
    if isinstance(given, int) and not isinstance(given, bool):
        return "cpu" if given < 0 else f"gpu:{given}"
    name = str(given)  # also that of a device of torch
    if name.isdecimal():
        return f"gpu:{name}"
    kind, _, index = name.partition(":")
    if kind == "cuda":
        return f"gpu:{index or 0}"
    return devices.check(name)
