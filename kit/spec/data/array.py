"""The elements of a JSON array, one at a time: as a whole, it takes many times its size of memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

from kit.core.canonical import MAX_ROW_BYTES
from kit.core.errors import CheckFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_JSON_BYTES = 256 << 20
"""Of a file; the field's data sets take 50 MB."""
MAX_JSON_VALUES = 8_000_000
"""Of the same."""
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)
"""A text, the beginning of one that does not end yet, or a mark; the rest is left to whoever parses an element."""
_CHUNK = 1 << 20


def array_elements(stream: BinaryIO, path: Path) -> Iterator[bytes]:
    """Yield the text of each element, which need not be right.

    Raises:
        CheckFailed: there is no array, it does not end, something follows it, or it or an element is too large.
    """
    data = stream.read(_CHUNK).lstrip()
    if not data.startswith(b"["):
        raise CheckFailed.of(path, "is not a JSON array of rows", "is this the format that was declared?")
    start, at, depth, values = 1, 1, 1, 0
    size = len(data)
    _check_size(path, data, size, 0)
    while depth:
        token = _TOKEN.search(data, at)
        mark = token[0] if token else b'"'
        if token is None or mark == b'"':
            chunk = stream.read(_CHUNK)
            size += len(chunk)
            _check_size(path, chunk, size, len(data) - start)
            data, start, at = data[start:] + chunk, 0, (token.start() if token else len(data)) - start
            continue
        at = token.end()
        depth += (mark in b"[{") - (mark in b"]}")
        values += mark in b"[{,"
        if values > MAX_JSON_VALUES:
            raise CheckFailed.of(path, f"holds more than {MAX_JSON_VALUES} values", "make it JSONL, a row a line")
        if depth == 0 or (depth == 1 and mark == b","):
            element = data[start : token.start()]
            if depth or values or element.strip():
                yield element
            start = at
    if (data[at:] + stream.read(_CHUNK)).strip():
        raise CheckFailed.of(path, "goes on behind its JSON array", "get it again")


def _check_size(path: Path, chunk: bytes, size: int, element: int) -> None:
    if size > MAX_JSON_BYTES:
        raise CheckFailed.of(path, f"is larger than {MAX_JSON_BYTES} bytes", "make it JSONL, a row a line")
    if not chunk:
        raise CheckFailed.of(path, "is not JSON: its array does not end", "get it again")
    if element > MAX_ROW_BYTES:
        raise CheckFailed.of(path, f"has a row of more than {MAX_ROW_BYTES} bytes", "split it")
