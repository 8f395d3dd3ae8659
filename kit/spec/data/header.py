"""The header of a file of columns."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kit.core.errors import CheckFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def check_header(path: Path, header: Sequence[str], columns: Iterable[str]) -> None:
    """Refuse a file that lacks a column, or in which a name would stand for two.

    Raises:
        CheckFailed: either.
    """
    counts = Counter(header)
    if missing := [column for column in columns if column not in counts]:
        raise CheckFailed.of(path, f"has no column {', '.join(missing)}", "is this the format that was declared?")
    if twice := sorted(column for column, count in counts.items() if count > 1):
        raise CheckFailed.of(path, f"has two columns {', '.join(twice)}", "rename or remove one")
