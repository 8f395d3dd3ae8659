"""What follows from which cells differ, and what is not known: sentences beside the ranked causes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.cells import BASE
from kit.review.diff.evidence import Influence
from kit.review.diff.grade import named
from kit.stats.answers import is_too_many

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from kit.core.cells import ArmSeed
    from kit.review.diff.evidence import CellTexts, Change, Parting

UNRECORDED = (
    "not recorded are firmware and microcode, clocks and heat, other programs on the machine, and faults of memory"
)
MOVING = (Influence.EXPERIMENT, Influence.LIKELY, Influence.POSSIBLE)


def notes(
    changes: Sequence[Change], texts: Sequence[CellTexts], partings: Sequence[Parting], trained: Collection[ArmSeed]
) -> Iterator[str]:
    """Yield sentences on completions that differ, and on how many were cut off; nothing where none does.

    Args:
        changes: all that differs beside the results.
        texts: of each cell in common.
        partings: of the trainings in common.
        trained: the weights whose training both sides record.
    """
    yield from _cut_off(texts)
    moved = {one.cell.weights for one in texts if one.divergences}
    if not moved:
        return
    asked = {one.cell.weights for one in texts if one.n and not one.unknown}
    parted = {one.weights for one in partings}
    steady = sorted(one for one in asked - moved if one.arm == BASE)
    if steady and moved <= parted:
        yield "the base answers the same, and only weights that were trained otherwise do not: the cause is in training"
    if same := sorted(map(str, (moved & set(trained)) - parted)):
        yield f"the trained weights of {named(same)} are the same on both sides: the cause is in the generation"
    yield from _unexplained(changes)


def _cut_off(texts: Sequence[CellTexts]) -> Iterator[str]:
    """Yield that on one side far more answers ended at the limit: its rates are those of beginnings."""
    apart = [one for one in texts if one.cut_off and is_too_many(abs(one.cut_off[0] - one.cut_off[1]), one.n)]
    if apart:
        worst = max(apart, key=lambda one: abs(one.cut_off[0] - one.cut_off[1]) / one.n if one.cut_off else 0)
        assert worst.cut_off
        more = f"; {len(apart) - 1} more cells are like it" if len(apart) > 1 else ""
        counts = f"{worst.cut_off[0]} of {worst.n} answers in a and {worst.cut_off[1]} in b"
        yield f"cut off at max_tokens were {counts} ({worst.cell}); judged was the beginning of each{more}"


def _unexplained(changes: Sequence[Change]) -> Iterator[str]:
    """Say so where nothing that is recorded accounts for the difference."""
    if not changes:
        yield f"nothing that is recorded differs beside the results; {UNRECORDED}"
    elif not any(change.influence in MOVING for change in changes):
        yield f"nothing of what differs is known to move results; {UNRECORDED}"
