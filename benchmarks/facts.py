"""The machine and the packages of a measurement."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

from ovseg_core.engines import in_openvino

PACKAGES = ("openvino", "onnxruntime", "paddlepaddle", "paddlex", "torch", "transformers", "segment-anything", "numpy")
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def lean_precision() -> str:
    """Return the precision to measure next to float32: bfloat16 if the CPU supports it (then it is faster), or int8."""
    return "bfloat16" if "bfloat16" in in_openvino.precisions() else "int8"


def machine() -> dict[str, str]:
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    facts = dict(line.split(":", 1) for line in reversed(cpuinfo) if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    has = facts.get("flags", "").split()
    return {
        "cpu": f"{os.cpu_count()} cores of {facts.get('model name', platform.processor())}",
        "instructions": " ".join(flag for flag in FLAGS if flag in has),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "python": platform.python_version(),
        "packages": ", ".join(f"{name} {version}" for name in PACKAGES if (version := _version(name))),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
