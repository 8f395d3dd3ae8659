"""Alpaca (Taori et al. 2023): `{"instruction", "input", "output"}`, a JSON array."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.rows import Prompt
from kit.source.columns import optional_text, text
from kit.source.interface import Example, Format

if TYPE_CHECKING:
    from kit.source.interface import Row


def _request(row: Row) -> str:
    instruction, given = text(row, "instruction"), optional_text(row, "input", "")
    return f"{instruction}\n\n{given}" if given else instruction


def _prompt(row: Row, number: int) -> Prompt:
    return Prompt(id=f"alpaca-{number}", category="alpaca", text=_request(row))


def _example(row: Row, number: int) -> Example:
    return Example(id=f"alpaca-{number}", prompt=_request(row), completion=text(row, "output"))


FORMAT = Format(
    name="alpaca", container="json", columns=("instruction", "input", "output"), prompt=_prompt, example=_example
)
