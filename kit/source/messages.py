"""Conversations as chat interfaces have them: `{"messages": [{"role", "content"}, …]}`, JSONL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.source.columns import optional_text
from kit.source.exchange import one_exchange
from kit.source.interface import Example, Format

if TYPE_CHECKING:
    from kit.source.interface import Row


def _example(row: Row, number: int) -> Example:
    asked, answered = one_exchange(row, "messages", speaker="role", said="content", names=("user", "assistant"))
    return Example(id=optional_text(row, "id", str(number)), prompt=asked, completion=answered)


FORMAT = Format(name="messages", container="jsonl", columns=("messages",), others=("id",), example=_example)
