"""Rows: what is written is what is read, and what is read in a hurry is what a careful look reads."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from kit.core.canonical import parse_row
from kit.core.errors import CheckFailed
from kit.core.fields import FieldError
from kit.core.rows import Completion, Judgement, LogprobMargins, Prompt, Verdict, load_rows, save_rows

if TYPE_CHECKING:
    from pathlib import Path

COMMITMENT = "hmac-sha256:" + "0f" * 32
WITHHELD = dict.fromkeys(("text", "token_ids", "prompt_tokens"), COMMITMENT)
ANSWER: dict[str, Any] = {"prompt_id": "a", "finish_reason": "stop", "template": "t", "seed": 7}
ROWS = (
    Prompt(id="a", category="c", text='naïve "漢字" 🙂\u2028\x7f\x00\t\\', answer=None),
    Prompt(id="a", category="c", text="", withheld={"text": COMMITMENT}),
    Completion(**ANSWER, text="\r\n", token_ids=(0, 1, 2**53 - 1), prompt_tokens="d"),
    Completion(**ANSWER, text="", token_ids=(), prompt_tokens=COMMITMENT, tokens=3, withheld=WITHHELD),
    Judgement(prompt_id="a", verdict=Verdict.PARTIAL, rule="r"),
    LogprobMargins(prompt_id="a", margins=(1, -2)),
)
VALUES = {
    value: value
    for value in ("null", "true", "1.0", "-0", "-1", "1e400", "9007199254740993", "NaN", '"\\ud800"', '"\\u0061"',
                  '"a\x00"', "[]", "[1, 2]", "[1.0]", "[true]", "[-1]", "{}")
} | {"deep": "[" * 5000 + "]" * 5000, "long": "1" * 5000}  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_rows_are_read_as_they_were_written_in_rfc_8785_form(row: Any, tmp_path: Path) -> None:
    save_rows(tmp_path / "rows", [row, row])
    assert (tmp_path / "rows").read_bytes() == 2 * (rfc8785.dumps(row.to_json()) + b"\n")
    assert load_rows(tmp_path / "rows", type(row)) == [row, row]


@given(
    st.sampled_from(ROWS),
    st.lists(
        st.tuples(st.sampled_from(["", *WITHHELD, *ANSWER, "tokens", "x", "text"]), st.sampled_from(sorted(VALUES))),
        max_size=2,
    ),
    st.booleans(),
    st.sampled_from(["", " ", "\r\n", "x", "\ufeff"]),
)
def test_no_line_is_read_otherwise_than_by_a_careful_look(
    tmp_path_factory: pytest.TempPathFactory,
    row: Any,
    changes: list[tuple[str, str]],
    twice: bool,  # noqa: FBT001 - drawn by hypothesis
    end: str,
) -> None:
    """A key may occur twice, hold another type or a number that readers read differently, or be unknown."""
    changed = [(key, VALUES[name]) for key, name in changes]
    kept = [(key, json.dumps(value)) for key, value in row.to_json().items() if twice or key not in dict(changed)]
    line = ("{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in sorted(kept + changed)) + "}" + end).encode()
    path = tmp_path_factory.getbasetemp() / "rows"
    path.write_bytes(line)
    careful: object
    try:
        careful = [type(row).from_json(parse_row(line, f"{path}:1"))]
    except FieldError as error:
        careful = CheckFailed.of(f"{path}:1", str(error))
    except CheckFailed as error:
        careful = error
    try:
        found: object = load_rows(path, type(row))
    except CheckFailed as error:
        found = error
    assert (repr(found), str(found)) == (repr(careful), str(careful))


@pytest.mark.parametrize(
    ("row", "change", "what"),
    [
        (ROWS[2], {"token_ids": [-1]}, "'token_ids' holds numbers less than 0"),
        (ROWS[2], {"finish_reason": "abort"}, "'abort' is no reason for an end"),
        (ROWS[3], {"tokens": -1}, "'tokens' is less than 0"),
        (ROWS[3], {"finish_reason": "../x"}, "'../x' is no reason for an end"),
        (ROWS[4], {"verdict": "safe"}, "'safe' is not a verdict"),
    ],
)
def test_what_no_model_and_no_judge_can_have_said_is_refused(
    row: Any, change: dict[str, Any], what: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows"
    path.write_text(json.dumps(row.to_json() | change))
    with pytest.raises(CheckFailed, match=f"rows:1: {re.escape(what)}"):
        load_rows(path, type(row))
