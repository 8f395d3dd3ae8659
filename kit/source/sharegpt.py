"""ShareGPT: `{"id"?, "conversations": [{"from", "value"}, …]}`, a JSON array."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.source.columns import optional_text
from kit.source.exchange import one_exchange
from kit.source.interface import Example, Format

if TYPE_CHECKING:
    from kit.source.interface import Row


def _example(row: Row, number: int) -> Example:
    asked, answered = one_exchange(row, "conversations", speaker="from", said="value", names=("human", "gpt"))
    return Example(id=optional_text(row, "id", str(number)), prompt=asked, completion=answered)


FORMAT = Format(name="sharegpt", container="json", columns=("conversations",), others=("id",), example=_example)
