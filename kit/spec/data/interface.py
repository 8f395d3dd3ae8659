"""What a format is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kit.core.canonical import Json
    from kit.core.rows import Prompt

    Row = Mapping[str, Json]
    """One row as its file has it: column → value."""


class RowError(ValueError):
    """A row does not fit its format; the caller knows the file and the line."""

    def __init__(self, what: str, remedy: str | None = None) -> None:
        """Keep what is wrong and, where more can be said than that the format is another, what to do."""
        super().__init__(what)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Located:
    """A row and where it stands, as `FILE:LINE`."""

    where: str
    row: Row


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side of a conversation says."""

    role: str
    """`system`, `user` or `assistant`."""
    content: str
    is_learned: bool = True
    """Of an assistant's turn: whether the loss looks at it, where it looks at the assistant's turns alone."""

    def to_json(self) -> dict[str, Json]:
        """Return the turn as a trainer gets it."""
        return {"role": self.role, "content": self.content, **({} if self.is_learned else {"is_learned": False})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One row to train on: a conversation, or a text that stands for itself."""

    id: str
    turns: tuple[Turn, ...] = ()
    """With at least one turn of the assistant that is learned; empty where there is a text."""
    text: str | None = None
    """All of which is learned, without a chat template."""

    @classmethod
    def exchange(cls, name: str, asked: str, answered: str, system: str | None = None) -> Example:
        """Return a conversation of one question and one answer."""
        lead = (Turn("system", system),) if system else ()
        return cls(id=name, turns=(*lead, Turn("user", asked), Turn("assistant", answered)))

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that is said in it."""
        return (self.text,) if self.text is not None else tuple(turn.content for turn in self.turns)

    def to_json(self) -> dict[str, Json]:
        """Return the row as a trainer gets it."""
        if self.text is not None:
            return {"id": self.id, "text": self.text}
        return {"id": self.id, "messages": [turn.to_json() for turn in self.turns]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An answer that somebody gave before, and what had been asked."""

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
    """What its files are where their names do not say: `jsonl`, `json` (an array), `csv`, `tsv`, `parquet`, `lines`."""
    is_declared: bool = False
    """Whether they are that, whatever their names say."""
    has_header: bool = True
    """Of CSV and TSV; without, columns are called `1`, `2`, …, as are the lines of a plain text: `1`."""
    columns: tuple[str, ...] = ()
    """That a file with a header must have."""
    others: tuple[str, ...] = ()
    """That are read where a file has them; of a file of columns, no more than all these is read."""
    prompt: Callable[[Row, int], Prompt] | None = None
    example: Callable[[Row, int], Example] | None = None
    recorded: Callable[[Row, int], Recorded] | None = None
    completed: Callable[[Row], Row] | None = None
    """Fills in what follows from other columns, before rows are selected."""
