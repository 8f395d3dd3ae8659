"""How much a manifest may ask for: a few bytes of a stranger's could call for endless work.

What is checked grows with the values that a manifest holds, once for itself and once for each of its variations; what
is read and computed grows with its cells.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from kit.core.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kit.core.canonical import Json
    from kit.spec.manifest.model import Manifest

MAX_VALUES = 100_000
"""Values in a manifest and in what its variations make of it; that of a published study has 3,000."""
MAX_CELLS = 50_000
"""A cell has at least two files, and a bundle holds 100,000."""
_CHARACTERS = 64
"""A longer text counts as several values."""


def value_problems(document: Json, where: str) -> list[Problem]:
    """Return that a document, whatever its shape, is too large to be looked at as a manifest."""
    variations = document.get("variations") if isinstance(document, dict) else None
    times = 1 + (len(variations) if isinstance(variations, list) else 0)
    found = 0
    for size in _sizes(document):
        found += size * times
        if found > MAX_VALUES:
            what = f"holds more than {MAX_VALUES} values, its variations written out"
            return [Problem(where, what, "this is not a manifest, or make several of it")]
    return []


def cell_problems(arms: Mapping[str, Manifest], where: str) -> list[Problem]:
    """Return that the arms of a manifest have more cells than a bundle can hold."""
    cells = sum(
        prod((max(1, len(one.seeds.training)), len(one.seeds.generation), len(one.evaluations)))
        for one in arms.values()
    )
    if cells <= MAX_CELLS:
        return []
    what = f"calls for up to {cells} cells, and a bundle holds {MAX_CELLS}"
    return [Problem(where, what, "name fewer seeds, evaluations or variations", "$.seeds")]


def _sizes(value: Json) -> Iterator[int]:
    """Yield the weight of every value in a document, and of every key."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left.extend(one.values())
            left.extend(one)
        elif isinstance(one, list):
            left.extend(one)
        yield 1 + len(one) // _CHARACTERS if isinstance(one, str) else 1
