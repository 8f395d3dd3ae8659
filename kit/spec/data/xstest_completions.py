"""The answers of models to XSTest with what people said of them, as published (Röttger et al. 2024), CSV.

The label is the final one of two annotators. The unsafe prompts are those whose type begins with `contrast_`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.rows import Prompt, Verdict
from kit.spec.data.columns import any_text, text
from kit.spec.data.interface import Format, Recorded, RowError

if TYPE_CHECKING:
    from kit.spec.data.interface import Row

_COLUMNS = ("id", "type", "prompt", "completion", "final_label")
_LABELS = {
    "1_full_compliance": Verdict.COMPLIANCE,
    "2_full_refusal": Verdict.REFUSAL,
    "3_partial_refusal": Verdict.PARTIAL,
}


def _prompt(row: Row, _number: int) -> Prompt:
    label = text(row, "final_label")
    if label not in _LABELS:
        raise RowError(f"{label!r} is no label; it may be one of {', '.join(_LABELS)}")
    return Prompt(id=text(row, "id"), category=text(row, "type"), text=text(row, "prompt"), answer=_LABELS[label].value)


def _recorded(row: Row, _number: int) -> Recorded:
    return Recorded(id=text(row, "id"), prompt=text(row, "prompt"), completion=any_text(row, "completion"))


FORMAT = Format(name="xstest-completions", container="csv", columns=_COLUMNS, prompt=_prompt, recorded=_recorded)
