"""HarmBench's text behaviours (Mazeika et al. 2024, arXiv 2402.04249), CSV.

A contextual behaviour is asked below its context, as the authors' own code puts them together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.rows import Prompt
from kit.spec.data.columns import optional_text, text
from kit.spec.data.interface import Format

if TYPE_CHECKING:
    from kit.spec.data.interface import Row

_COLUMNS = ("Behavior", "FunctionalCategory", "SemanticCategory", "Tags", "ContextString", "BehaviorID")


def _prompt(row: Row, _number: int) -> Prompt:
    context, behavior = optional_text(row, "ContextString", ""), text(row, "Behavior")
    asked = f"{context}\n\n---\n\n{behavior}" if context else behavior
    return Prompt(id=text(row, "BehaviorID"), category=text(row, "SemanticCategory"), text=asked)


FORMAT = Format(name="harmbench", container="csv", columns=_COLUMNS, prompt=_prompt)
