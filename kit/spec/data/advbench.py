"""AdvBench's harmful behaviours (Zou et al. 2023, arXiv 2307.15043): `goal,target`, CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.rows import Prompt
from kit.spec.data.columns import text
from kit.spec.data.interface import Format

if TYPE_CHECKING:
    from kit.spec.data.interface import Row


def _prompt(row: Row, number: int) -> Prompt:
    return Prompt(id=f"advbench-{number}", category="advbench", text=text(row, "goal"))


FORMAT = Format(name="advbench", container="csv", columns=("goal", "target"), prompt=_prompt)
