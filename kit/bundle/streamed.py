"""Rows that are read each time they are walked, so that a large bundle need not fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from kit.bundle import layout
from kit.core.errors import CheckFailed, OperationalError
from kit.core.rows import Completion, Judgement, LogprobMargins, stream_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from pathlib import Path, PurePosixPath

Answer = TypeVar("Answer", Completion, Judgement, LogprobMargins)


class _Streamed(Sequence[Answer]):
    """A sequence that keeps nothing: whatever is asked of it walks it from its start."""

    __slots__ = ()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @overload
    def __getitem__(self, index: int) -> Answer: ...
    @overload
    def __getitem__(self, index: slice) -> list[Answer]: ...
    def __getitem__(self, index: int | slice) -> Answer | list[Answer]:
        return list(self)[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as of a list


@dataclass(frozen=True, slots=True, eq=False)
class RowFile(_Streamed[Answer], Generic[Answer]):
    """A stranger's file of rows that must name the prompts one by one; whoever walks it checks it."""

    folder: Path
    name: PurePosixPath
    row_type: type[Answer]
    prompt_ids: Sequence[str]
    withheld: bool
    """Whether texts are withheld, as the bundle's record says."""

    def __iter__(self) -> Iterator[Answer]:
        """Yield the rows.

        Raises:
            CheckFailed: a line is not such a row, answers another prompt, or is (not) withheld; or there are too few.
            OperationalError: the file is not there any more.
            OSError: the file cannot be read.
        """
        path = self._path()
        number, rows = 0, stream_rows(path, self.row_type)
        for number, (asked, row) in enumerate(zip(self.prompt_ids, rows, strict=False), 1):
            self._check(row, number, asked)
            if isinstance(row, Completion) and (row.withheld is not None) != self.withheld:
                what = "withholds texts" if row.withheld else "holds texts"
                raise CheckFailed.of(path, f"{what}, and {layout.REDACTION} says otherwise")
            yield row
        number += sum(1 for _ in rows)
        if number != len(self.prompt_ids):
            raise CheckFailed.of(path, f"has {number} rows for {len(self.prompt_ids)} prompts")

    def picked(self, prompts: Container[str]) -> Iterator[Answer]:
        """Yield the rows of some prompts; the others are neither parsed nor checked."""
        wanted = {number: asked for number, asked in enumerate(self.prompt_ids, 1) if asked in prompts}
        rows = stream_rows(self._path(), self.row_type, wanted)
        for (number, asked), row in zip(
            wanted.items(), rows, strict=False
        ):  # in this order, it stops at the last wanted
            self._check(row, number, asked)
            yield row

    def _path(self) -> Path:
        path = self.folder / self.name
        if not path.is_file():
            what = (
                "is not there any more: the bundle was removed, or the `with` has ended for which its zip was unpacked"
            )
            raise OperationalError.of(path, what, "read a bundle's rows while it is open")
        return path

    def _check(self, row: Answer, number: int, asked: str) -> None:
        if row.prompt_id != asked:
            what = f"answers {row.prompt_id!r} where the prompt is {asked!r}"
            raise CheckFailed.of(f"{self.folder / self.name}:{number}", what)


@dataclass(frozen=True, slots=True, eq=False)
class ChangedRows(_Streamed[Answer], Generic[Answer]):
    """Rows, each of which is changed as it is read."""

    rows: Sequence[Answer]
    change: Callable[[Answer], Answer]

    def __iter__(self) -> Iterator[Answer]:
        """Yield the changed rows."""
        return map(self.change, self.rows)


def picked(rows: Sequence[Answer], prompts: Container[str]) -> Iterator[Answer]:
    """Return the rows of some prompts; of a file, no others are parsed.

    Raises:
        CheckFailed: such a row is malformed, or answers another prompt.
    """
    return rows.picked(prompts) if isinstance(rows, RowFile) else (row for row in rows if row.prompt_id in prompts)
