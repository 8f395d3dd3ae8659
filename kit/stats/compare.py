"""One arm against another over all their runs: how far apart, how sure, and what could have been seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.stats.intervals import Z_90, Interval
from kit.stats.mean import difference_interval, mean_of, p_value, squares_of
from kit.stats.paired import PairedCounts, mcnemar, paired_difference
from kit.stats.power import Power, power

if TYPE_CHECKING:
    from fractions import Fraction

    from kit.core.canonical import Json
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
    rows = _differences(reference, other)
    mean, runs = mean_of(rows), len(rows[0])
    could_see = power(squares_of(rows), len(rows), runs, wanted)
    if mean.degrees is None or len(reference.runs) == len(other.runs) == 1:
        counts = _counts(reference, other)
        return Compared(paired_difference(counts), paired_difference(counts, Z_90), mcnemar(counts), could_see)
    return Compared(difference_interval(mean), difference_interval(mean, 0.95), p_value(mean), could_see)


def _differences(reference: RunTable, other: RunTable) -> list[list[Fraction]]:
    """Return the differences by prompt (rows) and training run (columns)."""
    before, after = reference.by_training(), other.by_training()
    wide = max(len(before[0]), len(after[0]))
    # An arm that is not trained has one set of weights, with which each training run of the other is compared.
    before, after = ([row * (wide // len(row)) for row in rows] for rows in (before, after))
    return [[b - a for a, b in zip(*rows, strict=True)] for rows in zip(before, after, strict=True)]


def _counts(reference: RunTable, other: RunTable) -> PairedCounts:
    """Return the pairs of the first runs: where nothing varies between runs, any run is as good."""
    return PairedCounts.of(zip(reference.runs[0], other.runs[0], strict=True))
