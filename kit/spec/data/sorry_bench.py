"""SORRY-Bench (Xie et al. 2025, arXiv 2406.14598): `{"question_id", "category", "turns", "prompt_style"?}`, JSONL.

The 20 mutations are files of the same form; where several are one set, an id names the style of its prompt too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.rows import Prompt
from kit.spec.data.columns import label, optional_text
from kit.spec.data.interface import Format, RowError

if TYPE_CHECKING:
    from kit.spec.data.interface import Row


def _prompt(row: Row, _number: int) -> Prompt:
    turns = row.get("turns")
    if not isinstance(turns, list) or len(turns) != 1 or not isinstance(turns[0], str) or not turns[0].strip():
        raise RowError("'turns' is not one text")
    style = optional_text(row, "prompt_style", "base")
    name = f"sorry-{label(row, 'question_id')}"
    return Prompt(
        id=name if style == "base" else f"{name}-{style}", category=f"category-{label(row, 'category')}", text=turns[0]
    )


FORMAT = Format(
    name="sorry-bench",
    container="jsonl",
    columns=("question_id", "category", "turns"),
    others=("prompt_style",),
    prompt=_prompt,
)
