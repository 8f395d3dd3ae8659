"""JailbreakBench's behaviours (Chao et al. 2024, arXiv 2404.01318): harmful and benign ones, a CSV file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.rows import Prompt
from kit.spec.data.columns import text
from kit.spec.data.interface import Format

if TYPE_CHECKING:
    from kit.spec.data.interface import Row

_COLUMNS = ("Goal", "Target", "Behavior", "Category", "Source")


def _prompt(row: Row, number: int) -> Prompt:
    return Prompt(id=f"jbb-{number}", category=text(row, "Category"), text=text(row, "Goal"))


FORMAT = Format(name="jailbreakbench", container="csv", columns=_COLUMNS, prompt=_prompt)
