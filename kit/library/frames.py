"""Rows as a pandas DataFrame or a Parquet file, each column with the type that its rows declare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from kit.core.errors import KitError, OperationalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from os import PathLike
    from types import ModuleType
    from typing import NamedTuple

    import pyarrow as pa
    from pandas import DataFrame

_TOKEN_IDS = tuple[int, ...] | None
_TYPES: Mapping[object, tuple[str, str]] = {
    str: ("str", "string"),
    str | None: ("object", "string"),  # pandas' own type of texts would turn None into NaN
    int: ("int64", "int64"),
    int | None: ("Int64", "int64"),
    bool: ("bool", "bool_"),
    _TOKEN_IDS: ("object", "int64"),
}
"""By the type that a row declares: pandas' name for it, and Arrow's, of token ids that of each."""
_MOST_ROWS = 4096
_MOST_CHARACTERS = 16 << 20
"""Of a group of rows, which is what writing holds in memory; a column of a group holds at most 2 GiB."""


def to_pandas(row_type: type[NamedTuple], rows: Iterable[NamedTuple]) -> DataFrame:
    """Return rows as a DataFrame.

    Raises:
        OperationalError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise _lacking("pandas") from error
    values: dict[str, list[object]] = {name: [] for name in row_type._fields}
    for row in rows:
        for column, value in zip(values.values(), row, strict=True):
            column.append(value)
    types = _types(row_type)
    return pd.DataFrame({name: pd.Series(column, dtype=_TYPES[types[name]][0]) for name, column in values.items()})


def to_parquet(
    row_type: type[NamedTuple], rows: Iterable[NamedTuple], path: str | PathLike[str], about: Mapping[str, str]
) -> None:
    """Write rows as a Parquet file, whole or not at all; `about` becomes its metadata.

    Raises:
        OperationalError: pyarrow is not installed.
        OSError: the file cannot be written.
    """
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter
    except ImportError as error:
        raise _lacking("pyarrow") from error
    schema = pa.schema(_field(pa, name, kind) for name, kind in _types(row_type).items()).with_metadata(about)
    unfinished = Path(path).with_name(f"{Path(path).name}.unfinished")
    try:
        with ParquetWriter(unfinished, schema, compression="zstd") as writer:
            for group in _groups(rows):
                columns = zip(zip(*group, strict=True), schema.types, strict=True)
                arrays = [pa.array(values, kind) for values, kind in columns]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _types(row_type: type[NamedTuple]) -> dict[str, Any]:
    return get_type_hints(row_type)


def _field(pa: ModuleType, name: str, kind: object) -> pa.Field:
    plain = getattr(pa, _TYPES[kind][1])()
    return pa.field(name, pa.list_(plain) if kind == _TOKEN_IDS else plain, nullable=kind not in (str, int, bool))


def _groups(rows: Iterable[NamedTuple]) -> Iterator[Sequence[NamedTuple]]:
    """Yield rows in groups of a bounded size."""
    group: list[NamedTuple] = []
    characters = 0
    for row in rows:
        group.append(row)
        characters += sum(len(value) for value in row if isinstance(value, str | tuple))
        if len(group) >= _MOST_ROWS or characters >= _MOST_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group


def _lacking(package: str) -> KitError:
    remedy = f"run `pip install {package}` in it, or walk the rows: `for row in table`"
    return OperationalError.of(package, "is not installed in this environment", remedy)
