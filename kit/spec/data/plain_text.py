"""Texts for language modelling, as TRL names them: `{"id"?, "text"}`, JSONL. No chat template is put around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.spec.data.columns import optional_label, text
from kit.spec.data.interface import Example, Format

if TYPE_CHECKING:
    from kit.spec.data.interface import Row


def _example(row: Row, number: int) -> Example:
    return Example(id=optional_label(row, "id", str(number)), text=text(row, "text"))


FORMAT = Format(name="text", container="jsonl", columns=("text",), others=("id",), example=_example)
