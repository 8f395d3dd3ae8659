"""The processor and the accelerators, without importing torch."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.core.canonical import Json

_VECTOR_EXTENSIONS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16", "asimd", "sve", "bf16")
"""The flags of /proc/cpuinfo by which torch and vLLM choose their kernels: other vector units, other sums."""
_MEMORY_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Of the control group that a container is in, version 2 and version 1; /proc/meminfo tells of the whole machine."""
_PROCESSOR_LIMIT = "/sys/fs/cgroup/cpu.max"
"""Of the control group, version 2: so many microseconds in such a period, or `max`."""
_QUERY = "--query-gpu=name,memory.total,driver_version"


UNKNOWN_MIB = 1 << 20
"""Memory where the system does not say (Windows): a tebibyte, so that nothing is refused for it."""


def processor() -> dict[str, Json]:
    """Return the `platform` part of an environment."""
    text = _read("/proc/cpuinfo")
    names: set[str] = set(re.findall(r"^(?:model name|Processor|CPU part)\s*:\s*(.+)$", text, re.MULTILINE))
    flags = set(" ".join(re.findall(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)).split())
    return {
        "system": f"{platform.system()} {platform.release()}",
        "c_library": " ".join(platform.libc_ver()).strip() or "unknown",
        "machine": platform.machine(),
        "cpu": ", ".join(sorted(names)) or "unknown",
        "vector_extensions": [name for name in _VECTOR_EXTENSIONS if name in flags],
        "cores": len(_allowed()),
        "memory_mib": max(1, _memory_mib("SC_PHYS_PAGES")),
    }


def usable_cores() -> int:
    """Return how many physical cores this process may use, at least one.

    Two threads that share a core take as long as one; a container may be given less than the whole machine.
    """
    allowed = _allowed()
    # Virtual machines need not tell which of their processors share a core.
    cores = {(one.get("physical id"), one.get("core id", number)) for number, one in _processors(allowed)}
    quota, _, period = _read(_PROCESSOR_LIMIT).partition(" ")
    given = -(-int(quota) // int(period)) if quota.isdigit() and period.strip().isdigit() else len(allowed)
    return max(1, min(len(cores) or len(allowed), given))


def _processors(allowed: set[int]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the number and the fields of each processor of /proc/cpuinfo that may be used."""
    for block in _read("/proc/cpuinfo").split("\n\n"):
        fields = dict(re.findall(r"^(.+?)\s*: ?(.*)$", block, re.MULTILINE))
        number = fields.get("processor", "")
        if number.isdigit() and int(number) in allowed:
            yield number, fields


def accelerators(visible: str | None = None) -> list[Json]:
    """Return the `accelerators` part of an environment: what NVIDIA's own tool lists, in its order.

    Args:
        visible: only these, by number or UUID, separated by commas, as in CUDA_VISIBLE_DEVICES; None for all.
    """
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    chosen = [] if visible is None else [f"--id={visible}"]
    listing = _run(tool, _QUERY, "--format=csv,noheader,nounits", *chosen)
    cuda = re.search(r"CUDA Version\s*:\s*([\d.]+)", _run(tool, "--version"))
    found: list[Json] = []
    for line in listing.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) == 3:
            # A device that shares the processor's memory has "[N/A]".
            memory_mib = int(fields[1]) if fields[1].isdigit() else 0
            version = cuda[1] if cuda else "unknown"
            found.append({"model": fields[0], "memory_mib": memory_mib, "driver": fields[2], "cuda": version})
    return found


def compute_capabilities(visible: str | None = None) -> list[float]:
    """Return NVIDIA's number for what each accelerator can calculate with, such as 8.0; what is unknown is left out.

    Args:
        visible: as for `accelerators`.
    """
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    chosen = [] if visible is None else [f"--id={visible}"]
    listing = _run(tool, "--query-gpu=compute_cap", "--format=csv,noheader", *chosen)
    return [float(line) for line in listing.split() if re.fullmatch(r"\d+\.\d+", line)]


def available_memory_mib() -> int:
    """Return the memory that a new process could use without swapping, in MiB; no more than the container's limit."""
    match = re.search(r"^MemAvailable:\s*(\d+) kB$", _read("/proc/meminfo"), re.MULTILINE)
    free = (
        int(match[1]) >> 10 if match else _memory_mib("SC_AVPHYS_PAGES") or _memory_mib("SC_PHYS_PAGES") or UNKNOWN_MIB
    )
    limits = [int(text) >> 20 for text in map(_read, _MEMORY_LIMITS) if text.strip().isdigit()]
    return min([free, *limits])


def _allowed() -> set[int]:
    """Return the processors that this process may use; all where the system does not say (macOS, Windows)."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def _memory_mib(pages: str) -> int:
    """Return so many pages of memory in MiB, by POSIX's name of the number; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf(pages) >> 20
    except (AttributeError, ValueError, OSError):
        return 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _run(*command: str) -> str:
    try:
        # The tool is NVIDIA's own, found on the user's PATH; its arguments are constants.
        result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout if result.returncode == 0 else ""
