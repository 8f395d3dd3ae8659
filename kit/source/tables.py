"""Reading the two kinds of file that benchmarks are published in: JSONL and CSV."""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING

from kit.canonical import MAX_ROW_BYTES, read_rows
from kit.errors import Finding
from kit.source.interface import Located, RowError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kit.source.interface import Row


def read_jsonl(path: Path) -> Iterator[Located]:
    """Yield the rows of a JSONL file.

    Raises:
        Finding: a line is not a JSON object.
    """
    for number, row in enumerate(read_rows(path), 1):
        yield Located(f"{path}:{number}", row)


def read_csv(path: Path, columns: tuple[str, ...]) -> Iterator[Located]:
    """Yield the rows of an RFC 4180 CSV file with a header; fields may hold quotes, commas and newlines.

    Raises:
        Finding: the file is not UTF-8, a column is missing or stands there twice, or a row has another number of
            fields than the header.
        OSError: the file cannot be read.
    """
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Finding.of(path, f"byte {error.start} is not UTF-8", "save the file as UTF-8") from error
    csv.field_size_limit(MAX_ROW_BYTES)  # the standard limit of 128 KiB is smaller than real completions
    reader = csv.reader(StringIO(content, newline=""), strict=True)
    line = 1
    try:
        header = next(reader, [])
        _check_header(path, header, columns)
        line = reader.line_num + 1
        for fields in reader:
            if len(fields) != len(header):
                what = f"has {len(fields)} fields where the header has {len(header)}"
                raise Finding.of(f"{path}:{line}", what, "quote fields with commas, and leave no line empty")
            yield Located(f"{path}:{line}", dict(zip(header, fields, strict=True)))
            line = reader.line_num + 1
    except csv.Error as error:
        raise Finding.of(f"{path}:{line}", f"is not CSV ({error})", "mend the quotes in this row") from error


def _check_header(path: Path, header: list[str], columns: tuple[str, ...]) -> None:
    missing = [column for column in columns if column not in header]
    if missing:
        raise Finding.of(path, f"has no column {', '.join(missing)}", "is this the format that was declared?")
    if twice := sorted({column for column in header if header.count(column) > 1}):
        raise Finding.of(path, f"has two columns {', '.join(twice)}", "rename or remove one")


def text(row: Row, column: str) -> str:
    """Return a column that must hold text.

    Raises:
        RowError: it is missing, empty, or something else.
    """
    value = row.get(column)
    if not isinstance(value, str):
        raise RowError(f"has no text in {column!r}" if value is None else f"{column!r} is not text")
    if not value.strip():
        raise RowError(f"{column!r} is empty")
    return value


def any_text(row: Row, column: str) -> str:
    """Return a column that must be there and may be empty: a model may have answered nothing.

    Raises:
        RowError: it is missing, or something else than text.
    """
    return row[column] if row.get(column) == "" else text(row, column)  # type: ignore[return-value]


def optional_text(row: Row, column: str, default: str) -> str:
    """Return a column that may be missing or empty, or the default.

    Raises:
        RowError: it is something else than text.
    """
    return text(row, column) if row.get(column) not in (None, "") else default
