"""The rows of a data set: read by its declared format, selected as the manifest says."""

from __future__ import annotations

import random
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from kit.errors import Finding, Problem, Trouble
from kit.paths import UnsafePathError
from kit.source import FORMATS
from kit.source.containers import read_table
from kit.source.interface import Example, RowError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kit.manifest.model import DataSet, RowSelection
    from kit.manifest.places import Places
    from kit.rows import Prompt
    from kit.source.interface import Located, Row

MAX_PROBLEMS = 20
"""How many bad rows are listed; the rest are counted."""

MAX_ROWS = 2_000_000
"""Rows of a data set: they are kept in memory, and a small packed file can hold more than fit there."""

Loaded = TypeVar("Loaded", "Prompt", Example)


def load_prompts(places: Places, name: str, data: DataSet) -> list[Prompt]:
    """Return the prompts of a data set, in the order of its files and rows.

    Raises:
        Finding: rows that do not fit, ids that repeat, or nothing left after the selection; all problems at once.
    """
    convert = FORMATS[data.format].prompt
    if convert is None:
        able = [form.name for form in FORMATS.values() if form.prompt]
        raise _wrong_role(name, data, "prompts to ask", able)
    return _load(places, name, data, convert)


def load_examples(places: Places, name: str, data: DataSet) -> list[Example]:
    """Return the training examples of a data set, in the order of its files and rows.

    Raises:
        Finding: rows that do not fit, ids that repeat, or nothing left after the selection; all problems at once.
    """
    convert = FORMATS[data.format].example
    if convert is None:
        able = [form.name for form in FORMATS.values() if form.example]
        raise _wrong_role(name, data, "completions to train on", able)
    return _load(places, name, data, convert)


def load_recorded(places: Places, name: str, data: DataSet) -> list[Example]:
    """Return the recorded answers of a data set, row for row with `load_prompts`.

    Raises:
        Finding: rows that do not fit, ids that repeat, or nothing left after the selection; all problems at once.
    """
    convert = FORMATS[data.format].recorded
    if convert is None:
        able = [form.name for form in FORMATS.values() if form.recorded]
        raise _wrong_role(name, data, "recorded answers", able)
    return _load(places, name, data, convert)


def _wrong_role(name: str, data: DataSet, lack: str, able: list[str]) -> Finding:
    return Finding(
        [Problem(f"data set {name!r}", f"the format {data.format!r} has no {lack}", f"use {', '.join(able)}")]
    )


def _load(places: Places, name: str, data: DataSet, convert: Callable[[Row, int], Loaded]) -> list[Loaded]:
    where = f"data set {name!r}"
    rows = list(enumerate(islice(_read(places, data), MAX_ROWS + 1), 1))
    if len(rows) > MAX_ROWS:
        raise Finding.of(where, f"has more than {MAX_ROWS} rows", "make a smaller file of those that are used")
    selected = _select(rows, data.rows)
    if not selected:
        raise Finding.of(where, "no row is selected", "look at `rows.where` and at the file")
    loaded: list[Loaded] = []
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for number, located in selected:
        try:
            item = convert(located.row, number)
        except RowError as error:
            problems.append(Problem(located.where, str(error), f"the format is {data.format!r}"))
            continue
        if item.id in seen:
            problems.append(
                Problem(located.where, f"the id {item.id!r} stands at {seen[item.id]} too", "make ids unique")
            )
        seen[item.id] = located.where
        loaded.append(item)
    if problems:
        rest = len(problems) - MAX_PROBLEMS
        more: list[Problem] = [Problem(where, f"{rest} more rows do not fit")] if rest > 0 else []
        raise Finding([*problems[:MAX_PROBLEMS], *more])
    return loaded


def _read(places: Places, data: DataSet) -> Iterator[Located]:
    for file in sorted(data.source.files):
        try:
            form = FORMATS[data.format]
            yield from read_table(places.file(data.source, file), form.container, form.columns)
        except OSError as error:
            raise Trouble.of(file, f"cannot be read ({error.strerror})", "check the name") from error
        except UnsafePathError as error:
            raise Finding.of(file, str(error), "keep data below the manifest's folder") from error


def _select(rows: list[tuple[int, Located]], selection: RowSelection) -> list[tuple[int, Located]]:
    """Return the rows that the manifest wants, numbered as they stood in their file."""
    for column, allowed in selection.where.items():
        rows = [(number, located) for number, located in rows if _as_text(located.row.get(column)) in allowed]
    if selection.limit is None or selection.limit >= len(rows):
        return rows
    if selection.seed is None:
        return rows[: selection.limit]
    chosen = random.Random(selection.seed).sample(range(len(rows)), selection.limit)  # noqa: S311 - no secret
    return [rows[index] for index in sorted(chosen)]


def _as_text(value: object) -> object:
    """Return a whole number as CSV would have it, so that `where` need not know the file's container."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
