"""Prompt–completion pairs, as TRL names them, texts or turns: `{"id"?, "prompt", "completion"}`, JSONL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kit.spec.data.columns import optional_label, optional_text, text
from kit.spec.data.conversation import UNREAD, turns
from kit.spec.data.interface import Example, Format, RowError

if TYPE_CHECKING:
    from kit.spec.data.interface import Row


def _example(row: Row, number: int) -> Example:
    name = optional_label(row, "id", str(number))
    if not isinstance(row.get("prompt"), list) and not isinstance(row.get("completion"), list):
        system = optional_text(row, "system", "")
        return Example.exchange(name, text(row, "prompt"), text(row, "completion"), system)
    if row.get("system"):
        raise RowError("has turns and a text in 'system'", "put it first among the turns of 'prompt'")
    asked, answered = turns(row, "prompt"), turns(row, "completion")
    if answered[0].role != "assistant":
        raise RowError(f"'completion' begins with a turn of {answered[0].role}")
    # The loss looks at the completion: what the assistant said before belongs to the prompt.
    return Example(id=name, turns=(*(replace(turn, is_learned=turn.role != "assistant") for turn in asked), *answered))


FORMAT = Format(
    name="prompt-completion",
    container="jsonl",
    others=("id", "prompt", "completion", "system", *UNREAD),
    example=_example,
)
