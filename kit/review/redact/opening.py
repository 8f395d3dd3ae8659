"""Opening single records: what the holder of the key reveals, and how anybody checks it against the commitments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.core import fields
from kit.core.errors import CheckFailed, Problem
from kit.core.rows import Prompt
from kit.review.redact.commitment import Place, commitment
from kit.review.redact.withhold import completion_fields, prompt_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import PurePosixPath

    from kit.bundle.contents import Contents
    from kit.core.canonical import Json
    from kit.core.rows import Completion
    from kit.review.redact.commitment import RedactionKey

VERSION = 1


def open_records(contents: Contents, names: Sequence[str], key: RedactionKey, where: str) -> dict[str, Json]:
    """Return records of a whole bundle in the clear, each value with the salt that opens its commitment.

    Args:
        contents: of the whole bundle.
        names: `EVALUATION:ID` for a prompt, `CELL:ID` for a completion, `CELL.JUDGE:ID` for a judge's answer.
        key: the one that the bundle was redacted with.
        where: what to call the bundle in a problem.

    Raises:
        CheckFailed: there is no such record; all problems at once.
    """
    files = {file.stem: (file, {_id(row): row for row in rows}) for file, rows in _text_files(contents)}
    opened: list[Json] = []
    problems: list[Problem] = []
    for name in dict.fromkeys(names):
        stem, _, record = name.rpartition(":")
        file, rows = files.get(stem, (layout.PAYLOAD, {}))
        if row := rows.get(record):
            opened.append(_opened(file, record, row, key))
        else:
            remedy = "write EVALUATION:ID, CELL:ID or CELL.JUDGE:ID"
            problems.append(Problem(where, f"{name!r} is not a record of it that has a text", remedy))
    if problems:
        raise CheckFailed(problems)
    return {"version": VERSION, "records": opened}


def check_opened(contents: Contents, document: Json, where: str) -> int:
    """Hold opened records against the commitments of a redacted bundle, and return how many there are.

    Args:
        contents: of the redacted bundle.
        document: what `open_records` returned.
        where: its file.

    Raises:
        CheckFailed: it is no such document, or a record is not the one that the bundle commits to; all at once.
    """
    committed = {
        (str(file), _id(row), name): said
        for file, rows in _text_files(contents)
        for row in rows
        for name, said in (row.withheld or {}).items()
    }
    records = document.get("records") if isinstance(document, dict) and document.get("version") == VERSION else None
    if not isinstance(records, list) or not records or document != {"version": VERSION, "records": records}:
        raise CheckFailed.of(where, "holds no opened records", "`kit redact --open` writes such a file")
    problems = [
        Problem(where, what, "", f"$.records[{number}]{path}")
        for number, record in enumerate(records)
        for path, what in _wrong(record, committed)
    ]
    problems += [Problem(where, "is opened twice", "", f"$.records[{number}]") for number in _repeated(records)]
    if problems:
        raise CheckFailed(problems)
    return len(records)


def _opened(file: PurePosixPath, record: str, row: Prompt | Completion, key: RedactionKey) -> dict[str, Json]:
    values = prompt_fields(row) if isinstance(row, Prompt) else completion_fields(row)
    return {
        "file": str(file),
        "id": record,
        "fields": {
            name: {"value": value, "salt": key.salt(Place(str(file), record, name), value).hex()}
            for name, value in values.items()
        },
    }


def _wrong(record: Json, committed: Mapping[tuple[str, str, str], str]) -> Iterator[tuple[str, str]]:
    """Yield where an opened record is not what a bundle commits to, and why."""
    try:
        if not isinstance(record, dict):
            raise fields.FieldError("is not an object")  # noqa: TRY301 - as the accessors do
        file, name = fields.text(record, "file"), fields.text(record, "id")
        values = fields.mapping(record, "fields")
        if record.keys() != {"file", "id", "fields"}:
            raise fields.FieldError("says more than file, id and fields")  # noqa: TRY301 - as the accessors do
    except fields.FieldError as error:
        yield "", str(error)
        return
    if not values:
        yield ".fields", "opens nothing"
    for field in values:
        said = committed.get((file, name, field))
        if said is None:
            yield f".fields.{field}", "is nothing that the bundle commits to"
        elif not _opens(values, Place(file, name, field), said):
            yield f".fields.{field}", "is not what the bundle commits to"


def _repeated(records: Sequence[Json]) -> Iterator[int]:
    """Yield where a record stands that stood before: nobody is to be told that more was opened than was."""
    seen: set[tuple[str, str]] = set()
    for number, record in enumerate(records):
        place = (str(record.get("file")), str(record.get("id"))) if isinstance(record, dict) else ("", str(number))
        if place in seen:
            yield number
        seen.add(place)


def _opens(values: dict[str, Json], place: Place, said: str) -> bool:
    try:
        opened = fields.mapping(values, place.field)
        salt = bytes.fromhex(fields.text(opened, "salt"))
        alone = opened == {"value": opened.get("value"), "salt": salt.hex()}
        return alone and commitment(salt, place, opened.get("value")) == said
    except ValueError:  # a salt that is none, or a field that is not there
        return False


def _text_files(contents: Contents) -> Iterator[tuple[PurePosixPath, Iterable[Prompt | Completion]]]:
    """Yield the files of rows that have texts."""
    for evaluation, prompts in contents.prompts.items():
        yield layout.prompts_file(evaluation), prompts
    for cell, completions in contents.completions.items():
        yield layout.completions_file(cell), completions
    for (cell, judge), answers in contents.judging.items():
        yield layout.judging_file(cell, judge), answers


def _id(row: Prompt | Completion) -> str:
    return row.id if isinstance(row, Prompt) else row.prompt_id
