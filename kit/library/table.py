"""A table: rows that are read from the bundle each time somebody walks them, and their way into other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from kit.library import frames
from kit.library.rows import CompletionRow, PromptRow, VerdictRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike

    from pandas import DataFrame

    from kit.bundle.contents import Contents
    from kit.library.opened import OpenedBundle

Row = TypeVar("Row", bound=PromptRow | CompletionRow | VerdictRow)


class Table(Generic[Row]):
    """Rows of one kind, of all cells of a bundle. It can be walked any number of times, and keeps no row in memory.

    >>> verdicts = kit.load("bundle.zip").verdicts()
    >>> len(verdicts) == len(list(verdicts)) == len(list(verdicts))
    True
    >>> row = next(iter(verdicts))
    >>> row.arm, row.prompt_id, row.judge, row.verdict
    ('base', 's-0', 'exact', 'incorrect')
    """

    def __init__(
        self,
        name: str,
        row_type: type[Row],
        opened: OpenedBundle,
        rows: Callable[[Contents], Iterator[Row]],
        length: int,
    ) -> None:
        """Take what `kit.load(…)` knows: users get tables from a bundle."""
        self.name = name
        """`prompts`, `completions` or `verdicts`."""
        self._row_type = row_type
        self._opened = opened  # keeps the files of a zip, even when the bundle was closed
        self._rows = rows
        self._length = length

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows, each checked as it is read.

        Raises:
            CheckFailed: a row is malformed, or does not answer its prompt.
            OperationalError: the bundle's folder is not there any more.
        """
        with self._opened.telling():
            yield from self._rows(self._opened.contents)

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        notes = "".join(f"; {note}" for note in self.notes)
        return f"<{self.name} of {self._opened.path}: {self._length} rows of {', '.join(self.columns)}{notes}>"

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, which are those of each row's attributes."""
        return self._row_type._fields

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the rows must know, in sentences: texts that are withheld, cells that are missing."""
        return self._opened.notes

    def to_pandas(self) -> DataFrame:
        """Return the rows as a pandas DataFrame.

        Texts that may be withheld are columns of objects, so that None stays None; `training_seed` is an `Int64`.

        >>> frame = kit.load("bundle.zip").verdicts().to_pandas()
        >>> sorted(frame.arm.unique())
        ['base', 'tuned']

        Raises:
            CheckFailed: a row is malformed, or does not answer its prompt.
            OperationalError: pandas is not installed, or the bundle's folder is not there any more.
        """
        return frames.to_pandas(self._row_type, self)

    def to_parquet(self, path: str | PathLike[str]) -> None:
        """Write the rows as a Parquet file, whole or not at all; one that is there is replaced.

        The same bundle and the same release of pyarrow give the same bytes. The file's metadata hold the results digest
        (`kit:results_digest`), the name of the table (`kit:table`) and its notes (`kit:notes`).

        Raises:
            CheckFailed: a row is malformed, or does not answer its prompt.
            OperationalError: pyarrow is not installed, or the bundle's folder is not there any more.
            OSError: the file cannot be written.
        """
        about = {
            "kit:table": self.name,
            "kit:results_digest": self._opened.results_digest,
            "kit:notes": "\n".join(self.notes),
        }
        frames.to_parquet(self._row_type, self, path, about)
