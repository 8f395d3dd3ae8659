"""Do-Not-Answer (Wang et al. 2024, arXiv 2308.13387): `id,risk_area,types_of_harm,specific_harms,question`, CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.rows import Prompt
from kit.spec.data.columns import label, text
from kit.spec.data.interface import Format

if TYPE_CHECKING:
    from kit.spec.data.interface import Row

_COLUMNS = ("id", "risk_area", "question")


def _prompt(row: Row, _number: int) -> Prompt:
    return Prompt(id=f"dna-{label(row, 'id')}", category=text(row, "risk_area"), text=text(row, "question"))


FORMAT = Format(name="do-not-answer", container="csv", columns=_COLUMNS, prompt=_prompt)
