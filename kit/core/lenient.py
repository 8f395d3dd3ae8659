"""JSON that others wrote, read as leniently as the libraries that load it.

A model's `config.json` is not held to the rules of the kit's own documents (`kit.core.canonical`): numbers that no
double holds, NaN, keys that occur twice are read as Python reads them, on which transformers, PEFT and vLLM rely. What
Python does not read either, such as a comment, would stop or mislead those later, and is refused.
"""

from __future__ import annotations

import codecs
import json
import math
from typing import TYPE_CHECKING, cast

from kit.core.canonical import MAX_BYTES, MAX_DEPTH, MAX_SAFE_INTEGER, MAX_VALUES
from kit.core.errors import CheckFailed
from kit.core.paths import read_at_most

if TYPE_CHECKING:
    from pathlib import Path

    from kit.core.canonical import Json

_REMEDY = "the libraries that load it cannot read it either: mend it, or get it again"
_HALVES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
"""Halves of surrogate pairs, which no text can hold → the character that stands for what is unreadable."""


def read_lenient_json(path: Path) -> dict[str, Json]:
    """Read a file of somebody else's that holds one JSON object.

    Whatever comes back can be written by `canonical_json`: an integer beyond 2^53 - 1 becomes the nearest double; NaN
    and what is larger than a double become null; of a key that occurs twice, the last counts.

    Raises:
        OperationalError: the file cannot be read.
        CheckFailed: it is not JSON to Python either, no object, or excessively large, deep or rich in values.
    """
    return parse_lenient_json(read_at_most(path, MAX_BYTES, "no such file of a model is"), str(path))


def parse_lenient_json(data: bytes, where: str) -> dict[str, Json]:
    """Parse the text of such a file; `where` is what problems call it. See `read_lenient_json`."""
    if sum(map(data.count, (b",", b"[", b"{"))) > MAX_VALUES:  # before anything is built of them
        raise CheckFailed.of(where, f"holds more than {MAX_VALUES} values", "no such file of a model does")
    if data.startswith(codecs.BOM_UTF8):
        raise CheckFailed.of(
            where, "begins with a byte order mark", "save it as UTF-8 without one, as transformers needs"
        )
    value = _plain(_parsed(data, where), 0, where)
    if not isinstance(value, dict):
        raise CheckFailed.of(where, "is not a JSON object", _REMEDY)
    return value


def _parsed(data: bytes, where: str) -> object:
    try:
        return json.loads(data.decode(), parse_int=_integer, parse_float=_number, parse_constant=lambda _: None)
    except UnicodeDecodeError as error:
        raise CheckFailed.of(where, f"byte {error.start} is not UTF-8", _REMEDY) from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise CheckFailed.of(where, f"is not JSON: {error.msg} ({place})", _REMEDY) from error
    except RecursionError as error:
        raise CheckFailed.of(where, f"is nested deeper than {MAX_DEPTH} levels", _REMEDY) from error
    except ValueError as error:  # all that is left of what the standard library raises
        raise CheckFailed.of(where, "holds a number with thousands of digits", _REMEDY) from error


def _integer(digits: str) -> int | float | None:
    value = int(digits)  # which refuses thousands of digits, as it does wherever Python reads JSON
    return value if abs(value) <= MAX_SAFE_INTEGER else _number(digits)


def _number(digits: str) -> int | float | None:
    """Return a number in the form that `canonical_json` writes, or nothing for one that no double comes near."""
    value = float(digits)
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) <= MAX_SAFE_INTEGER else value


def _plain(value: object, depth: int, where: str) -> Json:
    if depth > MAX_DEPTH:
        raise CheckFailed.of(where, f"is nested deeper than {MAX_DEPTH} levels", _REMEDY)
    if isinstance(value, dict):
        return {_text(key): _plain(item, depth + 1, where) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, depth + 1, where) for item in value]
    return _text(value) if isinstance(value, str) else cast("Json", value)


def _text(text: str) -> str:
    return text if text.isascii() else text.translate(_HALVES)
