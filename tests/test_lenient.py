"""Files of other people's: read for what is in them, whatever the kit demands of its own documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.core.canonical import canonical_json, parse_json
from kit.core.errors import CheckFailed, OperationalError
from kit.core.lenient import parse_lenient_json, read_lenient_json
from kit.spec.data.json_row import json_row

if TYPE_CHECKING:
    from pathlib import Path

READ: dict[str, tuple[str, object]] = {
    "what transformers writes for no limit": ("1000000000000000019884624838656", 1e30),
    "an integer that no double is": ("9007199254740993", 9007199254740992.0),
    "one of hundreds of digits": ("1" + "0" * 500, None),
    "NaN": ("NaN", None),
    "an infinity": ("-Infinity", None),
    "too large a number": ("1e400", None),
    "a whole number with a point": ("4096.0", 4096),
    "half of a surrogate pair": (r'"a\ud83d"', "a\ufffd"),
    "a whole one": (r'"\ud83d\ude00"', "\U0001f600"),
}


@pytest.mark.parametrize("name", READ)
def test_what_the_kit_would_not_write_is_read(name: str, tmp_path: Path) -> None:
    text, value = READ[name]
    path = tmp_path / "config.json"
    path.write_text(f'{{"model_type": "llama", "odd": {text}, "odd": {text}}}')
    with pytest.raises(CheckFailed):
        parse_json(path.read_bytes(), "x")
    read = read_lenient_json(path)
    assert read == {"model_type": "llama", "odd": value}
    canonical_json(read)


def test_of_a_key_that_occurs_twice_the_last_counts_as_it_does_to_transformers() -> None:
    text = b'{"a": 1, "b": {"c": 1, "c": 2}, "a": 3}'
    assert parse_lenient_json(text, "x") == {"a": 3, "b": {"c": 2}} == json.loads(text)


REFUSED = {
    "nothing": (b"", "x: is not JSON: Expecting value"),
    "a list": (b"[]", "x: is not a JSON object"),
    "a comment": (b'// made by hand\n{"a": 1}', "x: is not JSON: Expecting value (line 1, column 1)"),
    "a comma too many": (b'{"a": 1,}', "x: is not JSON: "),
    "a byte order mark": (b'\xef\xbb\xbf{"a": 1}', "x: begins with a byte order mark"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "x: byte 0 is not UTF-8"),
    "too deep": (b'{"a":' + b"[" * 65 + b"]" * 65 + b"}", "x: is nested deeper than 64 levels"),
    "far too deep": (b'{"a":' * 100_000 + b"}" * 100_000, "x: is nested deeper than 64 levels"),
    "thousands of digits": (b'{"a": ' + b"1" * 5000 + b"}", "x: holds a number with thousands of digits"),
    "too many values": (b'{"a": [' + b"1," * 2_000_000 + b"1]}", "x: holds more than 2000000 values"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_library_could_load_is_refused(name: str) -> None:
    data, said = REFUSED[name]
    with pytest.raises(CheckFailed) as raised:
        parse_lenient_json(data, "x")
    assert str(raised.value).startswith(said)


def test_a_file_that_is_not_there_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(OperationalError, match="cannot be read"):
        read_lenient_json(tmp_path / "config.json")


@settings(deadline=None)
@given(
    st.binary()
    | st.dictionaries(st.text(), st.floats() | st.integers() | st.text()).map(lambda v: json.dumps(v).encode())
)
def test_whatever_the_bytes_are_they_are_read_or_refused(data: bytes) -> None:
    try:
        value = parse_lenient_json(data, "x")
    except CheckFailed:
        return
    canonical_json(value)


READ_COLUMNS = ("id", "prompt")


@pytest.mark.parametrize("odd", ["NaN", "123456789012345678901", '{"deep": [-Infinity]}', r'"\ud83d"', "1e999"])
def test_a_row_of_data_may_hold_anything_in_a_column_that_nobody_reads(odd: str) -> None:
    row = f'{{"id": "1", "score": {odd}, "prompt": "p", "a b": {odd}, "prompts": "other"}}'.encode()
    assert json_row(row, "x", READ_COLUMNS) == {"id": "1", "prompt": "p"}
    for name in ("prompt", "id"):
        with pytest.raises(CheckFailed) as raised:
            json_row(row.replace(b'"score"', f'"{name}"'.encode()), "x", READ_COLUMNS)
        assert str(raised.value).startswith(f"x::$.{name}")
        assert "score" not in str(raised.value)


def test_an_ordinary_row_is_read_whole() -> None:
    assert json_row(b'{"id": "1", "more": [1.5]}', "x", READ_COLUMNS) == {"id": "1", "more": [1.5]}
    with pytest.raises(CheckFailed, match=r"x::\$.id: the key 'id' occurs twice"):
        json_row(b'{"id": "1", "id": "2"}', "x", READ_COLUMNS)
