"""The files that rows come in: JSONL, a JSON array, CSV or Parquet, gzipped or not, told by the file's name."""

from __future__ import annotations

import csv
import gzip
from contextlib import contextmanager
from io import StringIO
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO, cast

from kit.canonical import MAX_ROW_BYTES, parse_json, rows_in
from kit.errors import Finding, Trouble
from kit.source.interface import Located

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_UNPACKED_BYTES = 4 << 30
"""Of a file that is packed: a small one can unpack to more than any disk holds."""
_BY_SUFFIX = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".parquet": "parquet"}


def read_table(path: Path, usual: str, columns: tuple[str, ...]) -> Iterator[Located]:
    """Yield the rows of a file.

    Args:
        path: whose name says what it is; after `.gz` is taken away.
        usual: what it is when its name does not say.
        columns: that a file with a header must have.

    Raises:
        Finding: it is not such a file, or a column is missing or stands there twice.
        Trouble: it is a Parquet file, and what reads it is not installed.
        OSError: it cannot be read.
    """
    name = PurePath(path.name.removesuffix(".gz"))
    container = _BY_SUFFIX.get(name.suffix.lower(), usual)
    if container == "parquet":
        yield from _parquet(path, columns)
        return
    with _opened(path) as stream:
        if container == "csv":
            yield from _csv(path, stream.read(), columns)
        elif container == "json":
            yield from _json(path, stream.read())
        else:
            for number, row in enumerate(rows_in(stream, str(path)), 1):
                yield Located(f"{path}:{number}", row)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacked if its name ends in `.gz`."""
    if path.suffix != ".gz":
        with path.open("rb") as stream:
            yield stream
        return
    try:
        with gzip.open(path, "rb") as stream:
            yield cast("BinaryIO", _Bounded(stream, path))
    except (EOFError, gzip.BadGzipFile) as error:
        raise Finding.of(path, "is not a whole gzip file", "get it again, or unpack it") from error


class _Bounded:
    """A packed file that refuses to unpack without end."""

    def __init__(self, stream: gzip.GzipFile, path: Path) -> None:
        self._stream, self._path, self._left = stream, path, MAX_UNPACKED_BYTES

    def read(self) -> bytes:
        """Return all of it."""
        return self._counted(self._stream.read(self._left + 1))

    def readline(self, size: int = -1) -> bytes:
        """Return the next line, or so much of it."""
        return self._counted(self._stream.readline(size))

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise Finding.of(self._path, f"unpacks to more than {MAX_UNPACKED_BYTES} bytes", "unpack and split it")
        return data


def _json(path: Path, data: bytes) -> Iterator[Located]:
    document = parse_json(data, str(path))
    if not isinstance(document, list):
        raise Finding.of(path, "is not a JSON array of rows", "is this the format that was declared?")
    for index, row in enumerate(document):
        if not isinstance(row, dict):
            raise Finding.of(f"{path}:$[{index}]", "is not a JSON object")
        yield Located(f"{path}:$[{index}]", row)


def _csv(path: Path, data: bytes, columns: tuple[str, ...]) -> Iterator[Located]:
    """Yield the rows of an RFC 4180 CSV file with a header; fields may hold quotes, commas and newlines."""
    try:
        content = data.decode("utf-8-sig")
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


def _parquet(path: Path, columns: tuple[str, ...]) -> Iterator[Located]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        remedy = "install what runs need (`locks/install.sh cpu .venv/run`), or take a CSV or JSONL file of the set"
        raise Trouble.of(path, "is a Parquet file, and pyarrow, which reads it, is not installed", remedy) from error
    number = 0
    try:
        with ParquetFile(path) as file:
            _check_header(path, list(file.schema_arrow.names), columns)
            for batch in file.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield Located(f"{path}: row {number}", row)
    except ArrowException as error:
        raise Finding.of(path, f"is not a whole Parquet file ({error})", "get it again") from error


def _check_header(path: Path, header: list[str], columns: tuple[str, ...]) -> None:
    missing = [column for column in columns if column not in header]
    if missing:
        raise Finding.of(path, f"has no column {', '.join(missing)}", "is this the format that was declared?")
    if twice := sorted({column for column in header if header.count(column) > 1}):
        raise Finding.of(path, f"has two columns {', '.join(twice)}", "rename or remove one")
