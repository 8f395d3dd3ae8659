"""StrongREJECT (Souly et al. 2024, arXiv 2402.10260): `category,source,forbidden_prompt`, CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.rows import Prompt
from kit.spec.data.columns import text
from kit.spec.data.interface import Format

if TYPE_CHECKING:
    from kit.spec.data.interface import Row


def _prompt(row: Row, number: int) -> Prompt:
    return Prompt(id=f"strongreject-{number}", category=text(row, "category"), text=text(row, "forbidden_prompt"))


FORMAT = Format(
    name="strongreject", container="csv", columns=("category", "source", "forbidden_prompt"), prompt=_prompt
)
