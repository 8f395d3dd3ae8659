"""One arm against another over all their runs: how far apart, how sure, and what could have been seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.stats.difference import Difference
from kit.stats.mean import LEVEL_90, mean_of, squares_of
from kit.stats.paired import PairedCounts, mcnemar
from kit.stats.power import Power, power

if TYPE_CHECKING:
    from kit.core.canonical import Json
    from kit.stats.intervals import Interval
    from kit.stats.judged import RunTable


@dataclass(frozen=True, slots=True)
class Compared:
    """A difference of two rates over all runs, paired by prompt and, where both were trained, by training seed."""

    difference: Interval
    difference_90: Interval
    """Inside a margin, it is two one-sided tests at 5 % (Schuirmann 1987, J Pharmacokinet Biopharm 15:657-680)."""
    p_value: float
    power: Power | None

    def to_json(self) -> dict[str, Json]:
        """Return the numbers by their names."""
        return {
            "difference": self.difference.to_json(),
            "difference_90": self.difference_90.to_json(),
            "p_value": self.p_value,
            "power": self.power.to_json() if self.power else None,
        }


def compare(reference: RunTable, other: RunTable, wanted: float) -> Compared:
    """Return the second arm's rate minus the first's, over the training seeds that both have.

    Args:
        reference: an arm.
        other: an arm over the same prompts, at least one of whose runs can be held against one of the reference's.
        wanted: the difference that a design should be able to see.
    """
    reference, other = reference.shared(other), other.shared(reference)
    rows, scale = differences(reference, other)
    both = mean_of(rows, scale)
    exact = mcnemar(first_pairs(reference, other)) if len(reference.runs) == len(other.runs) == 1 else None
    found = Difference.of(mean_of(*reference.by_training()), mean_of(*other.by_training()), both, exact)
    could_see = power(squares_of(rows, scale), both.prompts, both.runs, wanted)
    return Compared(found.interval(), found.interval(LEVEL_90), found.p_value(), could_see)


def differences(reference: RunTable, other: RunTable) -> tuple[list[list[int]], int]:
    """Return the differences by prompt (rows) and training run (columns), and how many times too large they are."""
    (before, first), (after, second) = reference.by_training(), other.by_training()
    wide = max(len(before[0]), len(after[0]))
    # An arm that is not trained has one set of weights, with which each training run of the other is compared.
    before, after = ([row * (wide // len(row)) for row in rows] for rows in (before, after))
    rows = [[b * first - a * second for a, b in zip(*row, strict=True)] for row in zip(before, after, strict=True)]
    return rows, first * second


def first_pairs(reference: RunTable, other: RunTable) -> PairedCounts:
    """Count the pairs of the first runs, which are all there is of single runs."""
    return PairedCounts.of(zip(reference.runs[0], other.runs[0], strict=True))
