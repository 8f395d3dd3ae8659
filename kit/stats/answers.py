"""What is counted of the answers themselves, whatever judges say of them."""

from __future__ import annotations

from collections import Counter
from itertools import repeat
from typing import TYPE_CHECKING

from kit.core.cells import BASE, ArmSeed, Cell
from kit.core.thinking import answer_of, marked_thinking

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kit.bundle.contents import Contents
    from kit.core.canonical import Json
    from kit.core.rows import Completion
    from kit.stats.measured import Measured


WARN_ABOVE_PERCENT = 5
"""From more than this share of answers on that were cut off, or are incoherent, a rate says too little."""


def is_too_many(count: int, n: int) -> bool:
    """Tell whether so many of `n` answers are more than a rate can bear."""
    return 100 * count > WARN_ABOVE_PERCENT * n


def answers(measured: Measured) -> dict[str, Json]:
    """Return the block `answers`: what is counted in each cell without a judge."""
    return {str(cell): _cell(cell, measured.contents) for cell in measured.contents.completions}


def is_cut_off(completion: Completion) -> bool:
    """Tell whether an answer ended at `max_tokens`, and not by itself."""
    return completion.finish_reason == "length"


def _cell(cell: Cell, contents: Contents) -> dict[str, Json]:
    evaluation, withheld = contents.evaluation(cell), cell.evaluation in contents.withheld
    base = _base(cell, contents.completions)
    others: Iterable[Completion | None] = repeat(None) if base is None else base
    n = cut_off = unfinished = same = 0
    marked: Counter[str] = Counter()
    for row, other in zip(contents.completions[cell], others, strict=base is not None):
        n += 1
        cut_off += is_cut_off(row)
        same += other is not None and (row.token_ids, row.finish_reason) == (other.token_ids, other.finish_reason)
        if evaluation.answer_after is not None:
            unfinished += answer_of(row.text, evaluation.answer_after) is None
        elif marker := marked_thinking(row.text):
            marked[marker] += 1
    return {
        "n": n,
        "cut_off": cut_off if contents.can_be_cut_off(cell) else None,
        "thinking": None if withheld else dict(marked),
        "unfinished_thinking": None if withheld or evaluation.answer_after is None else unfinished,
        "same_as_base": None if withheld or base is None else same,
    }


def _base(cell: Cell, completions: Mapping[Cell, Iterable[Completion]]) -> Iterable[Completion] | None:
    """Return the base's answers to the same prompts with the same generation seed."""
    base = Cell(ArmSeed(BASE, None), cell.evaluation, cell.generation_seed)
    return None if base == cell else completions.get(base)
