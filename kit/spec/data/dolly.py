"""Dolly-15k (Conover et al. 2023): `{"instruction", "context", "response", "category"}`, JSONL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.rows import Prompt
from kit.spec.data.columns import optional_text, text
from kit.spec.data.interface import Example, Format

if TYPE_CHECKING:
    from kit.spec.data.interface import Row


def _request(row: Row) -> str:
    context = optional_text(row, "context", "")
    instruction = text(row, "instruction")
    return f"{instruction}\n\n{context}" if context else instruction


def _prompt(row: Row, number: int) -> Prompt:
    return Prompt(id=f"dolly-{number}", category=optional_text(row, "category", "dolly"), text=_request(row))


def _example(row: Row, number: int) -> Example:
    return Example.exchange(f"dolly-{number}", _request(row), text(row, "response"))


FORMAT = Format(
    name="dolly",
    container="jsonl",
    others=("instruction", "context", "response", "category"),
    prompt=_prompt,
    example=_example,
)
