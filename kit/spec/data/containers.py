"""The files that rows come in: JSONL, a JSON array, CSV, TSV, Parquet or lines; gzipped or not, as their names say."""

from __future__ import annotations

import csv
import gzip
import zlib
from contextlib import contextmanager
from io import BufferedReader, RawIOBase, TextIOWrapper
from itertools import chain
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO

from kit.core.canonical import MAX_ROW_BYTES, lines_in
from kit.core.errors import CheckFailed
from kit.spec.data.array import array_elements
from kit.spec.data.header import check_header
from kit.spec.data.interface import Located
from kit.spec.data.json_row import json_row
from kit.spec.data.parquet import read_parquet

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterator
    from pathlib import Path

    from _typeshed import WriteableBuffer

    from kit.spec.data.interface import Format

MAX_UNPACKED_BYTES = 1 << 30
"""Of a file that is packed: a small one can unpack to more than any memory holds."""
_BY_SUFFIX = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
_DELIMITERS = {"csv": ",", "tsv": "\t"}
"""A TSV file is a CSV file with tabs, quotes included, as spreadsheets and pandas write it."""


def read_table(path: Path, form: Format, where: Collection[str] = ()) -> Iterator[Located]:
    """Yield the rows of a file.

    Args:
        path: whose name says what it is, after `.gz` is taken away; the format says it where the name does not, or
            where the manifest declares it.
        form: in which it is.
        where: columns that are looked at besides those of the format.

    Raises:
        CheckFailed: it is not such a file, or a column is missing or stands there twice.
        OperationalError: it is a Parquet file, and what reads it is not installed.
        OSError: it cannot be read.
    """
    name = PurePath(path.name.removesuffix(".gz"))
    by_name = None if form.is_declared else _BY_SUFFIX.get(name.suffix.lower())
    container = by_name or form.container
    wanted = {*form.columns, *form.others, *where}
    if container == "parquet":
        yield from read_parquet(path, form.columns, wanted)
        return
    with _opened(path) as stream:
        if container in _DELIMITERS:
            yield from _csv(path, stream, form, wanted, _DELIMITERS[container])
        elif container == "lines":
            yield from _plain_lines(path, stream)
        elif container == "json":
            yield from _json(path, stream, wanted)
        else:
            for number, line in enumerate(lines_in(stream, str(path)), 1):
                yield Located(f"{path}:{number}", json_row(line, f"{path}:{number}", wanted))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacked if its name ends in `.gz`."""
    if path.suffix != ".gz":
        with path.open("rb") as stream:
            yield stream
        return
    try:
        with gzip.open(path, "rb") as stream:
            yield BufferedReader(_Bounded(stream, path))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CheckFailed.of(path, "is not a whole gzip file", "get it again, or unpack it") from error


class _Bounded(RawIOBase):
    """A packed file that refuses to unpack without end."""

    def __init__(self, stream: gzip.GzipFile, path: Path) -> None:
        self._stream, self._path, self._left = stream, path, MAX_UNPACKED_BYTES

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill a buffer as far as there is something."""
        count = self._stream.readinto(buffer)
        self._left -= count
        if self._left < 0:
            what = f"unpacks to more than {MAX_UNPACKED_BYTES} bytes"
            raise CheckFailed.of(self._path, what, "unpack and split it")
        return count


def _json(path: Path, stream: BinaryIO, wanted: Container[str]) -> Iterator[Located]:
    for index, element in enumerate(array_elements(stream, path)):
        where = f"{path}:$[{index}]"
        yield Located(where, json_row(element, where, wanted))


def _plain_lines(path: Path, stream: BinaryIO) -> Iterator[Located]:
    """Yield the lines of a text, each as the column `1`."""
    text = TextIOWrapper(stream, encoding="utf-8-sig", newline="\n")
    lines = _Lines(text, path)
    try:
        for number, line in enumerate(lines, 1):
            yield Located(f"{path}:{number}", {"1": line.removesuffix("\n").removesuffix("\r")})
            lines.end_row()
    except UnicodeDecodeError as error:
        raise CheckFailed.of(path, "is not UTF-8", "save the file as UTF-8") from error
    finally:
        text.detach()  # whoever opened the stream closes it


def _csv(path: Path, stream: BinaryIO, form: Format, wanted: Container[str], delimiter: str) -> Iterator[Located]:
    """Yield the rows of an RFC 4180 CSV file; fields may hold quotes, delimiters and newlines."""
    csv.field_size_limit(MAX_ROW_BYTES)  # the standard limit of 128 KiB is smaller than real completions
    text = TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    lines = _Lines(text, path)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 1
    try:
        first = next(reader, [])
        header = first if form.has_header else [str(number) for number in range(1, len(first) + 1)]
        check_header(path, header, form.columns)
        chosen = [(index, name) for index, name in enumerate(header) if name in wanted]
        lines.end_row()
        line = reader.line_num + 1 if form.has_header else 1
        for fields in reader if form.has_header else chain([first], reader):
            if len(fields) != len(header):
                other = "header" if form.has_header else "first row"
                what = f"has {len(fields)} fields where the {other} has {len(header)}"
                raise CheckFailed.of(f"{path}:{line}", what, "quote fields with commas, and leave no line empty")
            yield Located(f"{path}:{line}", {name: fields[index] for index, name in chosen})
            lines.end_row()
            line = reader.line_num + 1
    except csv.Error as error:
        raise CheckFailed.of(f"{path}:{line}", f"is not CSV ({error})", "mend the quotes in this row") from error
    except UnicodeDecodeError as error:
        raise CheckFailed.of(path, "is not UTF-8", "save the file as UTF-8") from error
    finally:
        text.detach()  # whoever opened the stream closes it


class _Lines:
    """The lines of a text, of which one row must not take without end."""

    def __init__(self, text: TextIOWrapper, path: Path) -> None:
        self._text, self._path, self._left = text, path, MAX_ROW_BYTES

    def end_row(self) -> None:
        """Begin to count again."""
        self._left = MAX_ROW_BYTES

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise CheckFailed.of(self._path, f"has a row of more than {MAX_ROW_BYTES} characters", "split it")
        if not line:
            raise StopIteration
        return line
