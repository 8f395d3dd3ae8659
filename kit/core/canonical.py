"""JSON, read strictly and written in one form.

Reading refuses what makes two readers disagree: duplicate keys, NaN, numbers that a double cannot hold, lone
surrogates, deep nesting, excessive size. Writing gives RFC 8785 (JSON Canonicalization Scheme) bytes. Rows are JSONL,
one object a line; for rows without floats the standard library's compact form equals RFC 8785 and is far faster.
"""

from __future__ import annotations

import codecs
import json
import math
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

import rfc8785

from kit.core.errors import MAX_PROBLEMS, CheckFailed, Problem, child_path
from kit.core.paths import open_at_once, read_at_most

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

MAX_BYTES = 64 << 20
"""Largest JSON document that is read; manifests and statements are kilobytes."""
MAX_VALUES = 2_000_000
"""Most values of a document, each a hundred bytes of memory; the statement on 100,000 files has a million."""
MAX_DEPTH = 64
"""Deepest nesting that is read; a manifest has six levels."""
MAX_SAFE_INTEGER = 2**53 - 1
"""RFC 7493 section 2.2: beyond this, readers that use doubles disagree."""
_DIGITS_UNTIL = 10**21
"""RFC 8785 section 3.2.2.3 (ECMAScript): below this, a double is written without an exponent."""
MAX_ROW_BYTES = 8 << 20
"""Longest line that is read from a file of rows."""


def canonical_json(value: Json) -> bytes:
    """Return the RFC 8785 form of a value.

    Raises:
        rfc8785.CanonicalizationError: it holds NaN, an infinity, a lone surrogate, or an integer beyond 2**53 - 1.
    """
    return rfc8785.dumps(value)


def row_json(row: Mapping[str, Json]) -> bytes:
    """Return one row as a line of JSONL: RFC 8785 as long as the row holds no float and its keys are ASCII."""
    text = json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode() + b"\n"


def write_rows(path: Path, rows: Iterable[Mapping[str, Json]]) -> None:
    """Write rows as JSONL."""
    with path.open("wb") as stream:
        stream.writelines(map(row_json, rows))


def read_rows(path: Path) -> Iterator[dict[str, Json]]:
    """Yield the rows of a JSONL file, each read as strictly as a document.

    Raises:
        CheckFailed: a line is too long, not valid JSON, or not an object.
        OSError: the file cannot be read.
    """
    with open_at_once(path) as stream:
        yield from rows_in(stream, str(path))


def rows_in(stream: BinaryIO, name: str) -> Iterator[dict[str, Json]]:
    """Yield the rows of an open JSONL file, as `read_rows`; `name` is what problems call it."""
    for number, line in enumerate(lines_in(stream, name), 1):
        yield parse_row(line, f"{name}:{number}")


def lines_in(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield the lines of an open JSONL file, unread; `name` is what problems call it.

    Raises:
        CheckFailed: a line is too long, or empty.
    """
    number = 0
    while line := stream.readline(MAX_ROW_BYTES + 1):
        number += 1
        if len(line) > MAX_ROW_BYTES:
            raise CheckFailed.of(f"{name}:{number}", f"the line is longer than {MAX_ROW_BYTES} bytes")
        if line.isspace():
            raise CheckFailed.of(f"{name}:{number}", "the line is empty", "remove it")
        yield line


def parse_row(line: bytes, where: str) -> dict[str, Json]:
    """Parse a line that must hold one object, and explain what is wrong with it.

    Raises:
        CheckFailed: it is not strict JSON, or not an object.
    """
    quick = quickly_parsed(line)
    row = parse_json(line, where) if quick is None else quick
    if not isinstance(row, dict):
        raise CheckFailed.of(where, "the line is not a JSON object")
    return row


def quickly_parsed(line: bytes) -> dict[str, Json] | None:
    """Return the object that `parse_json` reads, many times as fast; None for a line that needs its explanations."""
    if line.count(b"[") + line.count(b"{") > MAX_DEPTH or b"\\ud" in line or b"\\uD" in line:
        return None
    if _LONG_NUMBER in line.translate(_DIGITS_AS_ZEROS):
        return None
    try:
        text = line.decode()
        row, end = _STRICT.raw_decode(text)
    except ValueError:
        return None
    return row if isinstance(row, dict) and not text[end:].strip(" \t\r\n") else None


_LONG_NUMBER = b"0" * 16
"""Any number beyond 2^53 - 1 has so many digits, as has much that is none."""
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")


def _distinct(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("a key occurs twice")
    return row


def _double(digits: str) -> float:
    value = float(digits)
    if value.is_integer() or not math.isfinite(value):
        raise ValueError("is not the form that the number has, or no number")
    return value


_STRICT = json.JSONDecoder(object_pairs_hook=_distinct, parse_float=_double, parse_constant=_double)
"""Reads what every reader reads alike, and refuses the rest; `_double` refuses NaN and Infinity as no finite number."""


def read_json(path: Path) -> Json:
    """Read one JSON document.

    Raises:
        OperationalError: the file cannot be read.
        CheckFailed: it is not strict JSON; all problems at once.
    """
    return parse_json(read_at_most(path, MAX_BYTES, "this is not a document that the kit wrote"), str(path))


def parse_json(data: bytes, where: str, *, most_values: int = MAX_VALUES) -> Json:
    """Parse strict JSON (RFC 8259 within the limits of RFC 7493).

    A number has one form, as in RFC 8785: 1.0 is read as 1, and 1e20 as the same double however it is written.

    Raises:
        CheckFailed: the text is not UTF-8 or not JSON, a key occurs twice, or a value cannot be read alike everywhere.
    """
    if sum(map(data.count, (b",", b"[", b"{"))) > most_values:  # before anything is built of them
        raise CheckFailed.of(
            where, f"holds more than {most_values} values", "this is not a document that the kit wrote"
        )
    value = _parse(data, where)
    problems: list[Problem] = []
    plain = _plain(value, "$", 0, where, problems)
    if problems:
        raise CheckFailed(problems)
    return plain


def _parse(data: bytes, where: str) -> object:
    if not data.strip():
        raise CheckFailed.of(where, "is empty", "a JSON document holds one value")
    if data.startswith(codecs.BOM_UTF8):
        raise CheckFailed.of(where, "begins with a byte order mark", "save the file as UTF-8 without one")
    try:
        return json.loads(data.decode(), object_pairs_hook=_Pairs, parse_constant=_Constant)
    except UnicodeDecodeError as error:
        raise CheckFailed.of(where, f"byte {error.start} is not UTF-8", "save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if b"\n" in data.strip() else f"column {error.colno}"
        raise CheckFailed.of(where, f"is not JSON: {error.msg} ({place})", "mend the text there") from error
    except RecursionError as error:
        raise CheckFailed.of(where, f"is nested deeper than {MAX_DEPTH} levels") from error
    except ValueError as error:  # all that is left of what the standard library raises
        raise CheckFailed.of(where, "holds a number with thousands of digits", "write a smaller number") from error


class _Pairs(list[tuple[str, object]]):
    """An object as it stood in the text, its duplicate keys kept."""


class _Constant(str):
    """NaN, Infinity or -Infinity, which Python reads and JSON does not have."""

    __slots__ = ()


def _plain(value: object, path: str, depth: int, where: str, problems: list[Problem]) -> Json:
    """Turn a parsed value into plain objects, noting what no two readers would read alike."""
    if len(problems) > MAX_PROBLEMS:  # enough is known, and a hostile file could have millions
        return None
    if depth > MAX_DEPTH:
        problems.append(Problem(where, f"is nested deeper than {MAX_DEPTH} levels", "", path))
        return None
    if isinstance(value, _Pairs):
        return _plain_object(value, path, depth, where, problems)
    if isinstance(value, list):
        return [_plain(item, child_path(path, index), depth + 1, where, problems) for index, item in enumerate(value)]
    if wrong := _wrong_scalar(value):
        problems.append(Problem(where, *wrong, path))
        return None
    return _one_form(value)


def _one_form(value: object) -> Json:
    """Return a scalar in the type that its RFC 8785 form has."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_SAFE_INTEGER:
        return int(value)
    if isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER:
        return float(value)
    return cast("Json", value)


def _wrong_scalar(value: object) -> tuple[str, str] | None:
    """Return what is wrong with a scalar and the remedy, or nothing."""
    if isinstance(value, _Constant):
        return f"{value} is not JSON", "write a finite number"
    if isinstance(value, str) and not _is_text(value):
        return "holds half of a surrogate pair", "write the whole character"
    if isinstance(value, int) and abs(value) > MAX_SAFE_INTEGER and not _is_double(value):
        return "the integer is beyond 2^53 - 1", "write a smaller number, or a string"
    if isinstance(value, float) and not math.isfinite(value):
        return "is larger than a double can hold", "write a finite number"
    return None


def _plain_object(pairs: _Pairs, path: str, depth: int, where: str, problems: list[Problem]) -> dict[str, Json]:
    result: dict[str, Json] = {}
    for key, item in pairs:
        if len(problems) > MAX_PROBLEMS:
            break
        below = child_path(path, key)
        if key in result:
            problems.append(Problem(where, f"the key {key!r} occurs twice", "keep one of them", below))
        if not _is_text(key):
            problems.append(Problem(where, "a key holds half of a surrogate pair", "write the whole character", path))
        result[key] = _plain(item, below, depth + 1, where, problems)
    return result


def _is_double(value: int) -> bool:
    """Tell whether these digits are how RFC 8785 writes a double, so that every reader reads that double."""
    return abs(value) < _DIGITS_UNTIL and canonical_json(float(value)) == str(value).encode()


def _is_text(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
