"""Where two sequences part."""

from __future__ import annotations

from itertools import compress, count
from operator import ne
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Item = TypeVar("Item")


def first_difference(a: Sequence[Item], b: Sequence[Item]) -> tuple[int, Item | None, Item | None]:
    """Return the first index at which two unequal sequences differ, and both entries; None behind an end."""
    index = next(compress(count(), map(ne, a, b)), min(len(a), len(b)))
    return index, _entry(a, index), _entry(b, index)


def _entry(values: Sequence[Item], index: int) -> Item | None:
    return values[index] if index < len(values) else None
