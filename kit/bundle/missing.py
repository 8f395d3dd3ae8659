"""Cells that a run could not measure, as `record/run.json` tells of them under `missing`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.core import fields
from kit.core.cells import Cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kit.core.canonical import Json

OUT_OF_MEMORY = "ran out of memory"
"""The one reason for which a run goes on without a step."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A step that was not done, and the cells that are not there for it."""

    step: str
    """Its label; nobody takes it apart."""
    cells: tuple[Cell, ...]
    """None of them, where only a self-test was lost."""

    def to_json(self) -> dict[str, Json]:
        """Return `{"step", "why", "cells"}`."""
        return {"step": self.step, "why": OUT_OF_MEMORY, "cells": [str(cell) for cell in self.cells]}


def read_missing(run: Mapping[str, Json], planned: Iterable[Cell]) -> tuple[Missing, ...]:
    """Return what a run's record says of cells that the manifest plans and the bundle does not hold.

    Raises:
        FieldError: it names a cell that is not planned, or twice, or every cell; or it is not as the kit writes it.
    """
    listed = run.get("missing", [])
    if not isinstance(listed, list):
        raise fields.FieldError("'missing' is not a list")
    found = tuple(map(_entry, listed))
    named = [cell for one in found for cell in one.cells]
    planned = set(planned)
    if not planned.issuperset(named) or len(named) != len(set(named)):
        raise fields.FieldError("'missing' names a cell twice, or one that is not planned")
    if len(named) == len(planned):
        raise fields.FieldError("'missing' names every cell")
    return found


def _entry(value: Json) -> Missing:
    if not isinstance(value, dict) or value.get("why") != OUT_OF_MEMORY:
        raise fields.FieldError(f"'missing' has an entry that is not a step that {OUT_OF_MEMORY}")
    cells = value.get("cells")
    if not isinstance(cells, list):
        raise fields.FieldError("'cells' is not a list")
    try:
        return Missing(fields.text(value, "step"), tuple(Cell.parse(str(cell)) for cell in cells))
    except ValueError as error:
        raise fields.FieldError(str(error)) from error


def missing_sentence(missing: Sequence[Missing], present: int) -> str:
    """Return what is not there, and why; nothing where everything is. `present` counts the cells that are there."""
    if not missing:
        return ""
    absent = sum(len(one.cells) for one in missing)
    steps = "; ".join(f"{one.step} {OUT_OF_MEMORY} (cells: {len(one.cells)})" for one in missing)
    return f"{absent} of {absent + present} planned cells are missing: {steps}"
