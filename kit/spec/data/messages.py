"""Conversations as chat interfaces have them: `{"messages": [{"role", "content"}, …]}`, JSONL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.spec.data.columns import optional_label
from kit.spec.data.conversation import UNREAD, conversation
from kit.spec.data.interface import Example, Format

if TYPE_CHECKING:
    from kit.spec.data.interface import Row


def _example(row: Row, number: int) -> Example:
    return Example(id=optional_label(row, "id", str(number)), turns=conversation(row, "messages"))


FORMAT = Format(
    name="messages", container="jsonl", columns=("messages",), others=("id", "system", *UNREAD), example=_example
)
