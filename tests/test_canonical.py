"""Canonical JSON: one form written, and nothing read that two readers could read differently."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.core.canonical import (
    MAX_DEPTH,
    MAX_ROW_BYTES,
    MAX_SAFE_INTEGER,
    canonical_json,
    parse_json,
    parse_row,
    quickly_parsed,
    read_json,
    read_rows,
    row_json,
    write_rows,
)
from kit.core.errors import CheckFailed, OperationalError, child_path

if TYPE_CHECKING:
    from pathlib import Path

    from kit.core.canonical import Json

texts = st.text(st.characters(exclude_categories=["Cs"]))
whole = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
floats = st.floats(allow_nan=False, allow_infinity=False)


def documents(scalars: st.SearchStrategy[Any], keys: st.SearchStrategy[str] = texts) -> st.SearchStrategy[Any]:
    return st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20)


any_time = settings(deadline=None)
"""A busy machine is no failure."""

exact = st.none() | st.booleans() | whole | texts
names = st.text(st.characters(max_codepoint=127))


@any_time
@given(documents(exact | floats))
def test_what_is_written_is_read_again(value: Json) -> None:
    text = canonical_json(value)
    assert parse_json(text, "") == value
    assert canonical_json(parse_json(text, "")) == text


@any_time
@given(documents(exact | floats))
def test_layout_does_not_matter(value: Json) -> None:
    loose = json.dumps(value, indent=3, ensure_ascii=True).encode()
    assert canonical_json(parse_json(loose, "")) == canonical_json(value)


@any_time
@given(st.dictionaries(names, documents(exact, names)))
def test_rows_without_floats_are_in_rfc_8785_form(row: dict[str, Json]) -> None:
    assert row_json(row) == rfc8785.dumps(row) + b"\n"


@any_time
@given(st.binary() | texts.map(str.encode) | documents(exact).map(lambda value: json.dumps(value).encode()[:-1]))
def test_whatever_the_bytes_are_they_are_read_or_refused(data: bytes) -> None:
    try:
        value = parse_json(data, "x")
    except CheckFailed:
        return
    assert parse_json(canonical_json(value), "") == value


NUMBERS: dict[str, object] = {
    "1.0": 1, "1e2": 100, "-0": 0, "-0.0": 0, "0.5": 0.5, "1e-7": 1e-7,
    "9007199254740991": 2**53 - 1, "9007199254740992": 2.0**53, "100000000000000000000": 1e20, "1e300": 1e300,
}  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_has_one_form(text: str) -> None:
    value = parse_json(text.encode(), "")
    assert (value, type(value)) == (NUMBERS[text], type(NUMBERS[text]))
    assert parse_json(canonical_json(value), "") == value


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "x: is empty"),
    "two values": (b"1 2", "x: is not JSON: Extra data"),
    "NaN": (b"[NaN]", "x::$[0]: NaN is not JSON"),
    "infinity": (b'{"a b": -Infinity}', "x::$['a b']: -Infinity is not JSON"),
    "too large a number": (b"1e400", "x::$: is larger than a double can hold"),
    "too long an integer": (b"9007199254740993", "x::$: the integer is beyond 2^53 - 1"),
    "a negative one": (b"-9007199254740993", "x::$: the integer is beyond 2^53 - 1"),
    "digits that no double is written with": (b"1" + b"0" * 21, "x::$: the integer is beyond 2^53 - 1"),
    "thousands of digits": (b"1" * 5000, "x: holds a number with thousands of digits"),
    "hundreds of digits": (b"1" * 400, "x::$: the integer is beyond 2^53 - 1"),
    "a key twice": (b'{"a": {"b": 1, "b": 1}}', "x::$.a.b: the key 'b' occurs twice"),
    "a key twice, escaped": (b'{"a": 1, "\\u0061": 2}', "x::$.a: the key 'a' occurs twice"),
    "half a character": (b'["\\udc00"]', "x::$[0]: holds half of a surrogate pair"),
    "half a character in a key": (b'{"\\ud800": 1}', "x::$: a key holds half of a surrogate pair"),
    "not UTF-8": (b'"\xff"', "x: byte 1 is not UTF-8"),
    "surrogates in UTF-8": (b'"\xed\xa0\x80"', "x: byte 1 is not UTF-8"),
    "byte order mark": (b"\xef\xbb\xbf1", "x: begins with a byte order mark"),
    "a raw control character": (b'"\n"', "x: is not JSON: Invalid control character at"),
    "a comment": (b"// 1\n1", "x: is not JSON: Expecting value (line 1, column 1)"),
    "too deep": (b"[" * (MAX_DEPTH + 1) + b"1" + b"]" * (MAX_DEPTH + 1), "is nested deeper than 64 levels"),
    "far too deep": (b"[" * 100_000 + b"]" * 100_000, "x: is nested deeper than 64 levels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_two_readers_could_read_differently_is_refused(name: str, tmp_path: Path) -> None:
    data, sentence = REFUSED[name]
    with pytest.raises(CheckFailed) as caught:
        parse_json(data, "x")
    assert sentence in str(caught.value)
    str(caught.value).encode()  # it can be printed
    if b"\n" not in data:
        (tmp_path / "rows").write_bytes(b'{"a":' + data + b"}")
        with pytest.raises(CheckFailed):
            list(read_rows(tmp_path / "rows"))


def test_the_deepest_document_that_is_allowed_is_read() -> None:
    assert parse_json(b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH, "")


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(CheckFailed) as caught:
        parse_json(b'{"a": NaN, "a": 1, "b": [1e400, "\\ud800"]}', "x")
    assert [problem.path for problem in caught.value.problems] == ["$.a", "$.a", "$.b[0]", "$.b[1]"]


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, "\ud800"])
def test_what_could_not_be_read_again_is_not_written(value: Json) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical_json(value)


@settings(deadline=None, max_examples=30)
@given(rows=st.lists(st.dictionaries(names, exact | st.lists(exact, max_size=3), max_size=4), max_size=4))
def test_rows_are_read_as_they_were_written(
    rows: list[dict[str, Json]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "rows.jsonl"
    write_rows(path, rows)
    assert list(read_rows(path)) == rows
    path.write_bytes(b"".join(json.dumps(row).encode() + b"\r\n" for row in rows))
    assert list(read_rows(path)) == rows


pieces = st.sampled_from(
    [b'"a":1', b'"a":2', b'"\\u0061":1', b'"b":1.0', b'"b":0.5', b'"b":1e400', b'"b":9007199254740993',
     b'"b":NaN', b'"b":-0', b'"c":"\\ud800"', b'"c":"\\uD83D\\uDE42"', b'"c":"\xff"', b'"c":[[{}]]',
     b'"c":' + b"[" * 70 + b"]" * 70, b'"d" : null', b"1"]
)  # fmt: skip


@any_time
@given(
    st.lists(pieces, max_size=3),
    st.sampled_from([b"{", b"", b" {", b"\xef\xbb\xbf{"]),
    st.sampled_from([b"}", b"}\r\n", b"}x"]),
)
def test_what_is_read_quickly_is_what_the_slow_look_reads(parts: list[bytes], start: bytes, end: bytes) -> None:
    line = start + b",".join(parts) + end
    quick = quickly_parsed(line)
    if quick is not None:
        slow = parse_row(line, "x")
        assert (quick, repr(quick)) == (slow, repr(slow))


def test_a_line_that_would_exhaust_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a":1}\n{"a":"' + b"x" * MAX_ROW_BYTES + b'"}\n')
    rows = read_rows(path)
    assert next(rows) == {"a": 1}
    with pytest.raises(CheckFailed, match=r"rows\.jsonl:2: the line is longer than"):
        next(rows)


def test_a_document_that_cannot_be_read_is_trouble(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(OperationalError, match="cannot be read"):
            read_json(path)


@pytest.mark.parametrize(
    ("key", "path"),
    [("a-b", "$.a-b"), ("$schema", "$.$schema"), (0, "$[0]"), ("x.jsonl", "$['x.jsonl']"), ("it's", '$["it\'s"]'),
     ("a\nb", "$['a\\nb']"), ("", "$['']"), ("é", "$['é']")],
)  # fmt: skip
def test_a_path_names_a_member_on_one_line(key: str | int, path: str) -> None:
    assert child_path("$", key) == path
