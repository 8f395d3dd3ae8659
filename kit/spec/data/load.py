"""The rows of a data set: read by its declared format, selected as the manifest says."""

from __future__ import annotations

import random
from sys import getsizeof
from typing import TYPE_CHECKING, TypeVar

from kit.core.errors import CheckFailed, OperationalError, Problem
from kit.core.paths import UnsafePathError
from kit.core.rows import Prompt
from kit.spec.data import find_format, mapped, own_formats
from kit.spec.data.containers import read_table
from kit.spec.data.interface import Example, Located, Recorded, RowError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from kit.spec.data.interface import Format, Row
    from kit.spec.manifest.model import DataSet, RowSelection
    from kit.spec.manifest.places import Places

MAX_PROBLEMS = 20
"""How many bad rows are listed; the rest are counted."""

MAX_ROWS = 2_000_000
"""Rows of the files of a data set: a small packed file can hold them without end."""

MAX_BYTES = 512 << 20
"""Of memory, that the texts of the rows which are used may take."""

Loaded = TypeVar("Loaded", Prompt, Example, Recorded)


def format_of(data: DataSet) -> Format:
    """Return the format of a data set: one that has a name, or the one that it declares itself."""
    return mapped.mapped(data.columns) if data.columns else find_format(data.format)


def load_prompts(places: Places, name: str, data: DataSet) -> list[Prompt]:
    """Return the prompts of a data set, in the order of its files and rows.

    Raises:
        CheckFailed: rows that do not fit, ids that repeat, or nothing left after the selection; all problems at once.
    """
    convert = format_of(data).prompt
    if convert is None:
        able = [form.name for form in own_formats().values() if form.prompt]
        raise _wrong_role(name, data, "prompts to ask", able)
    return _load(places, name, data, convert)


def load_examples(places: Places, name: str, data: DataSet) -> list[Example]:
    """Return the training examples of a data set, in the order of its files and rows.

    Raises:
        CheckFailed: rows that do not fit, ids that repeat, or nothing left after the selection; all problems at once.
    """
    convert = format_of(data).example
    if convert is None:
        able = [form.name for form in own_formats().values() if form.example]
        raise _wrong_role(name, data, "completions to train on", able)
    return _load(places, name, data, convert)


def load_recorded(places: Places, name: str, data: DataSet) -> list[Recorded]:
    """Return the recorded answers of a data set, row for row with `load_prompts`.

    Raises:
        CheckFailed: rows that do not fit, ids that repeat, or nothing left after the selection; all problems at once.
    """
    convert = format_of(data).recorded
    if convert is None:
        able = [form.name for form in own_formats().values() if form.recorded]
        raise _wrong_role(name, data, "recorded answers", able)
    return _load(places, name, data, convert)


def _wrong_role(name: str, data: DataSet, lack: str, able: list[str]) -> CheckFailed:
    what = f"the format {data.format!r} has no {lack}"
    remedy = f"use {', '.join(able)}"
    if data.columns:
        what, remedy = f"its `columns` map no {lack}", "say which column is the `completion`"
    return CheckFailed([Problem(f"data set {name!r}", what, remedy)])


def _load(places: Places, name: str, data: DataSet, convert: Callable[[Row, int], Loaded]) -> list[Loaded]:
    where = f"data set {name!r}"
    drawn = _drawn(places, where, data)
    loaded: list[Loaded] = []
    problems: list[Problem] = []
    bad, kept = 0, 0
    seen: dict[str, str] = {}
    for index, (number, located) in enumerate(_matching(places, where, data)):
        if drawn is not None and index not in drawn:
            continue
        try:
            item = convert(located.row, number)
        except RowError as error:
            bad += 1
            if bad <= MAX_PROBLEMS:
                remedy = f"the format is {data.format!r}"
                problems.append(
                    Problem(located.where, str(error), f"{remedy}; {error.remedy}" if error.remedy else remedy)
                )
            continue
        if item.id in seen:
            bad += 1
            if bad <= MAX_PROBLEMS:
                what = f"the id {item.id!r} stands at {seen[item.id]} too"
                problems.append(Problem(located.where, what, "make ids unique"))
        seen[item.id] = located.where
        loaded.append(item)
        kept += _size(item)
        if kept > MAX_BYTES:
            what = f"takes more than {MAX_BYTES} bytes of memory"
            raise CheckFailed.of(located.where, what, "name a smaller file, or fewer rows in `rows`")
    if problems:
        rest = bad - MAX_PROBLEMS
        more: list[Problem] = [Problem(where, f"{rest} more rows do not fit")] if rest > 0 else []
        raise CheckFailed([*problems, *more])
    if not loaded:
        raise CheckFailed.of(where, "no row is selected", "look at `rows.where`, `rows.not_empty` and at the file")
    return loaded


def _size(item: Prompt | Example | Recorded) -> int:
    """Return the bytes of memory that a row's texts take: up to four a character."""
    if isinstance(item, Example):
        return sum(map(getsizeof, (item.id, *item.texts)))
    texts = (item.text, item.answer) if isinstance(item, Prompt) else (item.prompt, item.completion)
    return sum(map(getsizeof, (item.id, *texts)))


def _read(places: Places, data: DataSet) -> Iterator[Located]:
    form, looked_at = format_of(data), (*data.rows.where, *data.rows.not_empty)
    for file in sorted(data.source.files):
        try:
            for located in read_table(places.file(data.source, file), form, looked_at):
                yield Located(located.where, form.completed(located.row)) if form.completed else located
        except OSError as error:
            raise OperationalError.of(file, f"cannot be read ({error.strerror})", "check the name") from error
        except UnsafePathError as error:
            raise CheckFailed.of(file, str(error), "keep data below the manifest's folder") from error


def _matching(places: Places, where: str, data: DataSet) -> Iterator[tuple[int, Located]]:
    """Yield the rows with the wanted values, numbered as they stand in their file; no row is kept."""
    for number, located in enumerate(_read(places, data), 1):
        if number > MAX_ROWS:
            raise CheckFailed.of(where, f"has more than {MAX_ROWS} rows", "make a smaller file of those that are used")
        if _is_wanted(located.row, data.rows):
            yield number, located


def _is_wanted(row: Row, rows: RowSelection) -> bool:
    filled = all(row.get(column) is not None and str(row[column]).strip() for column in rows.not_empty)
    return filled and all(_as_text(row.get(column)) in allowed for column, allowed in rows.where.items())


def _drawn(places: Places, where: str, data: DataSet) -> Container[int] | None:
    """Return which of the matching rows are used, counted from 0; None for all. A draw needs to know their number."""
    limit, seed = data.rows.limit, data.rows.seed
    if limit is None or seed is None:
        return None if limit is None else range(limit)
    count = sum(1 for _ in _matching(places, where, data))
    if limit >= count:
        return None
    return frozenset(random.Random(seed).sample(range(count), limit))  # noqa: S311 - no secret


def _as_text(value: object) -> object:
    """Return a whole number as CSV would have it, so that `where` need not know the file's container."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
