"""The instruction sets of the CPU, by Linux's names (arch/x86/include/asm/cpufeatures.h)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

BFLOAT16 = frozenset({"amx_bf16", "avx512_bf16"})  # instructions that multiply in bfloat16
# Instructions that multiply bytes. Without them, a CPU is slower in int8 than in float32, or adds up in 16 bits, which
# overflow.
INT8 = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})


@cache
def flags() -> frozenset[str]:
    """Return the flags of the first core; an empty set if the system does not report any."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE) if cpuinfo.is_file() else None
    return frozenset(found[1].split()) if found else frozenset()


def has_any(wanted: frozenset[str]) -> bool:
    return not wanted.isdisjoint(flags())
