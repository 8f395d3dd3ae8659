"""XSTest (Röttger et al. 2024): 250 safe and 200 unsafe prompts, CSV.

Both labels stand in one file: an evaluation takes one of them with `"where": {"label": ["unsafe"]}`. The file of
version 2 (`id_v1,id_v2,type,prompt,focus,note`) has no label: the unsafe prompts are those whose type begins with
`contrast_`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.rows import Prompt
from kit.spec.data.columns import label, text
from kit.spec.data.interface import Format

if TYPE_CHECKING:
    from kit.spec.data.interface import Row


def _completed(row: Row) -> Row:
    name, kind = row.get("id", row.get("id_v2")), row.get("type")
    follows = "unsafe" if isinstance(kind, str) and kind.startswith("contrast_") else "safe"
    return {"label": follows, **row, "id": name}


def _prompt(row: Row, _number: int) -> Prompt:
    return Prompt(id=label(row, "id"), category=text(row, "type"), text=text(row, "prompt"))


FORMAT = Format(
    name="xstest",
    container="csv",
    columns=("prompt", "type"),
    others=("id", "id_v2", "label"),
    prompt=_prompt,
    completed=_completed,
)
