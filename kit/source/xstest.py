"""XSTest (Röttger et al. 2024): 250 safe and 200 unsafe prompts, CSV.

Both labels stand in one file: an evaluation takes one of them with `"where": {"label": ["unsafe"]}`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.rows import Prompt
from kit.source.columns import text
from kit.source.interface import Format

if TYPE_CHECKING:
    from kit.source.interface import Row

_COLUMNS = ("id", "prompt", "type", "label")


def _prompt(row: Row, _number: int) -> Prompt:
    return Prompt(id=text(row, "id"), category=text(row, "type"), text=text(row, "prompt"))


FORMAT = Format(name="xstest", container="csv", columns=_COLUMNS, prompt=_prompt)
