"""Alpaca (Taori et al. 2023): `{"instruction", "input", "output"}`, a JSON array."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.rows import Prompt
from kit.spec.data.columns import optional_text, refuse_unread, text
from kit.spec.data.interface import Example, Format

if TYPE_CHECKING:
    from kit.spec.data.interface import Row

_UNREAD = ("history",)
"""LLaMA-Factory's column of earlier turns."""


def _request(row: Row) -> str:
    instruction, given = text(row, "instruction"), optional_text(row, "input", "")
    return f"{instruction}\n\n{given}" if given else instruction


def _prompt(row: Row, number: int) -> Prompt:
    return Prompt(id=f"alpaca-{number}", category="alpaca", text=_request(row))


def _example(row: Row, number: int) -> Example:
    refuse_unread(row, _UNREAD, "alpaca")
    system = optional_text(row, "system", "")
    return Example.exchange(f"alpaca-{number}", _request(row), text(row, "output"), system)


FORMAT = Format(
    name="alpaca",
    container="json",
    columns=("instruction", "input", "output"),
    others=("system", *_UNREAD),
    prompt=_prompt,
    example=_example,
)
