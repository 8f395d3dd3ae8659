"""GSM8K (Cobbe et al. 2021): `{"question", "answer"}`, JSONL; the final answer stands after `####`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.rows import Prompt
from kit.spec.data.columns import text
from kit.spec.data.interface import Example, Format, RowError

if TYPE_CHECKING:
    from kit.spec.data.interface import Row

_CATEGORY = "grade-school-math"


def _prompt(row: Row, number: int) -> Prompt:
    _, mark, final = text(row, "answer").rpartition("####")
    if not mark or not final.strip():
        raise RowError("'answer' has no final answer after '####'")
    return Prompt(id=f"gsm8k-{number}", category=_CATEGORY, text=text(row, "question"), answer=final.strip())


def _example(row: Row, number: int) -> Example:
    return Example.exchange(f"gsm8k-{number}", text(row, "question"), text(row, "answer"))


FORMAT = Format(name="gsm8k", container="jsonl", others=("question", "answer"), prompt=_prompt, example=_example)
