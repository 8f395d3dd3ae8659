"""Answers that were given before, the kit's own form: `{"id", "category", "prompt", "completion", "label"?}`, JSONL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.rows import Prompt
from kit.spec.data.columns import any_text, text
from kit.spec.data.interface import Format, Recorded

if TYPE_CHECKING:
    from kit.spec.data.interface import Row


def _prompt(row: Row, _number: int) -> Prompt:
    label = None if row.get("label") is None else text(row, "label")
    return Prompt(id=text(row, "id"), category=text(row, "category"), text=text(row, "prompt"), answer=label)


def _recorded(row: Row, _number: int) -> Recorded:
    return Recorded(id=text(row, "id"), prompt=text(row, "prompt"), completion=any_text(row, "completion"))


FORMAT = Format(
    name="recorded",
    container="jsonl",
    others=("id", "category", "prompt", "completion", "label"),
    prompt=_prompt,
    recorded=_recorded,
)
