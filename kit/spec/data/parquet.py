"""Rows out of a Parquet file, of which a few kilobytes can call for any amount of memory.

A footer is its writer's word: a page may unpack to two gigabytes whatever the footer says of it. So reading is given a
bounded part of the process's memory, only the columns that a format reads are looked at, and their types must be those
of JSON.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kit.core.canonical import MAX_ROW_BYTES
from kit.core.errors import CheckFailed, KitError, OperationalError
from kit.spec.data.header import check_header
from kit.spec.data.interface import Located

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pyarrow import DataType, RecordBatch, Schema

    from kit.spec.data.interface import Row

MAX_READING_BYTES = 512 << 20
"""Of memory that reading a thousand rows may take."""
MAX_UNPACKED_BYTES = 1 << 30
"""Of the columns that are read: rows that repeat are packed to nothing."""
MAX_PARTS = 10_000
"""Columns, groups of rows and the like: libraries walk a footer's tree with a stack that ends."""
MAX_DEPTH = 8
"""Of lists and objects within a column; a conversation has two levels."""
_ROWS_AT_ONCE = 1024
_READ_AHEAD = 1 << 20
"""Bytes of the file; without it, a whole column is fetched at once."""


def read_parquet(path: Path, columns: Collection[str], wanted: Collection[str]) -> Iterator[Located]:
    """Yield the rows of a Parquet file.

    Args:
        path: the file.
        columns: that it must have.
        wanted: of which a row holds what there is.

    Raises:
        CheckFailed: it is not such a file, holds what JSON cannot, or takes more memory than data take.
        OperationalError: what reads it is not installed.
        OSError: it cannot be read.
    """
    try:
        from pyarrow import ArrowException
    except ImportError as error:
        remedy = "install what runs need (`locks/install.sh cpu .venv/run`), or take a CSV or JSONL file of the set"
        raise OperationalError.of(
            path, "is a Parquet file, and pyarrow, which reads it, is not installed", remedy
        ) from error
    if sys.platform != "linux":
        what = "is a Parquet file, which may ask for any memory, and only Linux bounds what a process takes"
        raise OperationalError.of(path, what, "take a CSV or JSONL file of the set, or look at it on Linux")
    batches = _batches(path, columns, wanted)
    number = 0
    while rows := _next_rows(path, batches, ArrowException):
        for row in rows:
            number += 1
            yield Located(f"{path}: row {number}", row)


def _next_rows(path: Path, batches: Iterator[RecordBatch], broken: type[Exception]) -> list[Row]:
    """Return some rows, or none at the end; everything that the library allocates, it allocates here."""
    try:
        with _bounded_memory():
            batch = next(batches, None)
            return batch.to_pylist() if batch else []
    except MemoryError as error:
        what = f"takes more than {MAX_READING_BYTES} bytes of memory to read {_ROWS_AT_ONCE} rows"
        raise CheckFailed.of(path, what, "this is no set of texts; get it again, or take it as JSONL") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise _broken(path, error) from error
    except (broken, UnicodeDecodeError) as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> KitError:
    return CheckFailed.of(path, f"is not a whole Parquet file ({error})", "get it again")


def _batches(path: Path, columns: Collection[str], wanted: Collection[str]) -> Iterator[RecordBatch]:
    """Yield the rows in columns, some at a time."""
    from pyarrow.parquet import ParquetFile

    limits = {"thrift_container_size_limit": MAX_PARTS, "buffer_size": _READ_AHEAD}
    left = MAX_UNPACKED_BYTES
    with ParquetFile(path, **limits) as file:
        schema = file.schema_arrow
        check_header(path, schema.names, columns)
        chosen = [name for name in schema.names if name in wanted]
        _check_types(path, schema, chosen)
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=chosen, use_threads=False):
            left -= batch.nbytes
            if left < 0:
                raise CheckFailed.of(path, f"unpacks to more than {MAX_UNPACKED_BYTES} bytes", "split it")
            long = batch.nbytes > MAX_ROW_BYTES
            if long and any(batch.slice(row, 1).nbytes > MAX_ROW_BYTES for row in range(batch.num_rows)):
                raise CheckFailed.of(path, f"has a row of more than {MAX_ROW_BYTES} bytes", "split it")
            yield batch


def _check_types(path: Path, schema: Schema, chosen: Collection[str]) -> None:
    for name in chosen:
        kind = schema.field(name).type
        if not _is_json(kind, MAX_DEPTH):
            what = f"has a column {name!r} of the type {str(kind)[:80]}, which no JSON has"
            raise CheckFailed.of(path, what, "make it text, or take the set as JSONL")


def _is_json(kind: DataType, depth: int) -> bool:
    """Tell whether JSON holds such values: texts, numbers, and lists and objects of them."""
    from pyarrow import types

    if types.is_struct(kind) or types.is_list(kind) or types.is_large_list(kind):
        return depth > 0 and all(_is_json(kind.field(index).type, depth - 1) for index in range(kind.num_fields))
    if types.is_dictionary(kind):
        return _is_json(kind.value_type, 0)
    plain = (
        types.is_string,
        types.is_large_string,
        types.is_integer,
        types.is_boolean,
        types.is_floating,
        types.is_null,
    )
    return any(is_one(kind) for is_one in plain)


@contextmanager
def _bounded_memory() -> Iterator[None]:
    """Let this process take so much more memory and no more; what is refused ends in a `MemoryError`."""
    import resource  # not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = _data_bytes() + MAX_READING_BYTES
    limits = [limit for limit in (most, soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_bytes() -> int:
    """Return what counts against the limit already (proc(5), VmData)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData:"))
