"""The mapping format: a data set says itself what its columns mean, so that a new benchmark needs no code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.rows import Prompt
from kit.spec.data.columns import any_text, label, text
from kit.spec.data.interface import Example, Format, Recorded, RowError
from kit.spec.manifest.columns import MEANINGS

if TYPE_CHECKING:
    from kit.spec.data.interface import Row
    from kit.spec.manifest.columns import Columns

NAME = "columns"
"""Of the format, in the manifest."""
CATEGORY = "all"
"""Of every prompt, where no column says another."""


def mapped(columns: Columns) -> Format:
    """Return the format that a data set declares."""
    named = {meaning: str(column) for meaning in MEANINGS if (column := getattr(columns, meaning)) is not None}
    reader = _Reader(named)
    answered = "completion" in named
    return Format(
        name=NAME,
        container=columns.container,
        is_declared=True,
        has_header=columns.header,
        columns=tuple(dict.fromkeys(named.values())),
        prompt=reader.prompt,
        example=reader.example if answered else None,
        recorded=reader.recorded if answered else None,
    )


class _Reader:
    """Reads rows by what their columns mean."""

    def __init__(self, named: dict[str, str]) -> None:
        self._named = named

    def prompt(self, row: Row, number: int) -> Prompt:
        system = self._named.get("system")
        if system is not None and row.get(system):
            raise RowError(
                f"has a system message in {system!r}", "map it for training alone; evaluations have their own"
            )
        category, answer = self._optional(row, "category"), self._optional(row, "answer")
        return Prompt(id=self._id(row, number), category=category or CATEGORY, text=self._asked(row), answer=answer)

    def example(self, row: Row, number: int) -> Example:
        completion = text(row, self._named["completion"])
        return Example.exchange(self._id(row, number), self._asked(row), completion, self._optional(row, "system"))

    def recorded(self, row: Row, number: int) -> Recorded:
        completion = any_text(row, self._named["completion"])
        return Recorded(id=self._id(row, number), prompt=self._asked(row), completion=completion)

    def _id(self, row: Row, number: int) -> str:
        return label(row, self._named["id"]) if "id" in self._named else str(number)

    def _asked(self, row: Row) -> str:
        """Return the prompt, also out of a list of turns that has one."""
        column = self._named["prompt"]
        value = row.get(column)
        return text({column: value[0]} if isinstance(value, list) and len(value) == 1 else row, column)

    def _optional(self, row: Row, meaning: str) -> str | None:
        column = self._named.get(meaning)
        return None if column is None or row.get(column) in (None, "") else label(row, column)
