"""What a format is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kit.canonical import Json
    from kit.rows import Prompt

    Row = Mapping[str, Json]
    """One row as its file has it: column → value."""


class RowError(ValueError):
    """A row does not fit its format; the caller knows the file and the line."""


@dataclass(frozen=True, slots=True)
class Located:
    """A row and where it stands, as `FILE:LINE`."""

    where: str
    row: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A prompt and its answer: one row to train on, or one that was recorded."""

    id: str
    prompt: str
    completion: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How the rows of one kind of file are read. Each file in this folder that ends in a `FORMAT` is one format.

    `prompt`, `example` and `recorded` turn a row and its number (from 1, for formats without ids) into what an
    evaluation asks, what a training learns from, and what somebody answered before; they raise `RowError` for a row
    that does not fit, and are None where the format has none.
    """

    name: str
    container: str
    """What its files are where their names do not say: `jsonl`, `json` (an array) or `csv`."""
    columns: tuple[str, ...] = ()
    """That a file with a header must have."""
    others: tuple[str, ...] = ()
    """That are read where a file has them; of a file of columns, no more than all these is read."""
    prompt: Callable[[Row, int], Prompt] | None = None
    example: Callable[[Row, int], Example] | None = None
    recorded: Callable[[Row, int], Example] | None = None
