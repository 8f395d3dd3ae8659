"""The kit's own plain format for evaluation sets: `{"id", "category", "prompt", "answer"?}`, JSONL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.rows import Prompt
from kit.spec.data.columns import text
from kit.spec.data.interface import Format

if TYPE_CHECKING:
    from kit.spec.data.interface import Row


def _prompt(row: Row, _number: int) -> Prompt:
    answer = None if row.get("answer") is None else text(row, "answer")
    return Prompt(id=text(row, "id"), category=text(row, "category"), text=text(row, "prompt"), answer=answer)


FORMAT = Format(name="prompts", container="jsonl", others=("id", "category", "prompt", "answer"), prompt=_prompt)
