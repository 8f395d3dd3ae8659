"""A row of JSON: strict in the columns that are read, and none of our business in the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.canonical import parse_json, quickly_parsed
from kit.core.errors import CheckFailed, child_path
from kit.core.lenient import parse_lenient_json

if TYPE_CHECKING:
    from collections.abc import Container

    from kit.core.canonical import Json


def json_row(text: bytes, where: str, wanted: Container[str]) -> dict[str, Json]:
    """Return a row; one that holds NaN or the like in a column that nobody reads comes without such columns.

    Args:
        text: of one object.
        where: what problems call it.
        wanted: the columns that are read.

    Raises:
        CheckFailed: it is not JSON, not an object, or a column that is read holds what no two readers read alike.
    """
    quick = quickly_parsed(text)
    if quick is not None:
        return quick
    try:
        row = parse_json(text, where)
    except CheckFailed as error:
        return _without_unread(text, where, wanted, error)
    if not isinstance(row, dict):
        raise CheckFailed.of(where, "is not a JSON object")
    return row


def _without_unread(text: bytes, where: str, wanted: Container[str], error: CheckFailed) -> dict[str, Json]:
    """Return what is left of a row without the columns that nobody reads, if it is those that are wrong."""
    if not all(problem.path for problem in error.problems):
        raise error
    row = parse_lenient_json(text, where)
    unread = [child_path("$", key) for key in row if key not in wanted]
    if told := [one for one in error.problems if not any(_is_below(one.path, column) for column in unread)]:
        raise CheckFailed(told) from error
    return {key: value for key, value in row.items() if key in wanted}


def _is_below(path: str, column: str) -> bool:
    return path == column or path.startswith((f"{column}.", f"{column}["))
