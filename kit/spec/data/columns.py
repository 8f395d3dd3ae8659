"""The fields of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.spec.data.interface import RowError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kit.spec.data.interface import Row


def text(row: Row, column: str) -> str:
    """Return a column that must hold text.

    Raises:
        RowError: it is missing, empty, or something else.
    """
    value = row.get(column)
    if not isinstance(value, str):
        raise RowError(f"has no text in {column!r}" if value is None else f"{column!r} is not text")
    if not value.strip():
        raise RowError(f"{column!r} is empty", f'mend it, or leave such rows out: `rows.not_empty`: ["{column}"]')
    return value


def any_text(row: Row, column: str) -> str:
    """Return a column that must be there and may be empty: a model may have answered nothing.

    Raises:
        RowError: it is missing, or something else than text.
    """
    return row[column] if row.get(column) == "" else text(row, column)  # type: ignore[return-value]


def label(row: Row, column: str) -> str:
    """Return a column that holds a name or a whole number, as text.

    Raises:
        RowError: it is missing, empty, or something else.
    """
    value = row.get(column)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(row, column)


def optional_label(row: Row, column: str, default: str) -> str:
    """Return a column that holds a name or a whole number, as text, or the default where it is missing or empty.

    Raises:
        RowError: it is something else.
    """
    return label(row, column) if row.get(column) not in (None, "") else default


def refuse_unread(row: Row, columns: Iterable[str], format_name: str) -> None:
    """Refuse a row that says something which nobody would hear.

    Raises:
        RowError: one of these columns is filled.
    """
    filled = [column for column in columns if row.get(column)]
    if filled:
        raise RowError(f"has {' and '.join(map(repr, filled))}, which {format_name} rows are not trained on with")


def optional_text(row: Row, column: str, default: str) -> str:
    """Return a column that may be missing or empty, or the default.

    Raises:
        RowError: it is something else than text.
    """
    return text(row, column) if row.get(column) not in (None, "") else default
