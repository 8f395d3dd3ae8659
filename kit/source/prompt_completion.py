"""Prompt–completion pairs, as TRL names them: `{"id"?, "prompt", "completion"}`, JSONL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.source.columns import optional_text, text
from kit.source.interface import Example, Format

if TYPE_CHECKING:
    from kit.source.interface import Row


def _example(row: Row, number: int) -> Example:
    return Example(
        id=optional_text(row, "id", str(number)), prompt=text(row, "prompt"), completion=text(row, "completion")
    )


FORMAT = Format(name="prompt-completion", container="jsonl", others=("id", "prompt", "completion"), example=_example)
