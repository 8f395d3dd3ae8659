"""One arm against another over all their runs: how far apart, how sure, and what could have been seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.measure.intervals import Z_90, Interval
from kit.measure.mean import difference_interval, equivalence_p_value, mean_of, p_value, squares_of
from kit.measure.paired import PairedCounts, mcnemar, paired_difference
from kit.measure.power import Power, power

if TYPE_CHECKING:
    from fractions import Fraction

    from kit.canonical import Json
    from kit.measure.judged import RunTable

LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Compared:
    """A difference of two rates over all runs, paired by prompt and, where both were trained, by training seed."""

    difference: Interval
    p_value: float
    equivalent: bool | None
    """Whether it lies within the stated margin, at 5 %; None where none is stated."""
    equivalence_p_value: float | None
    """None where no margin is stated, and where the test has only a yes or a no."""
    margin: float | None
    power: Power | None

    def to_json(self) -> dict[str, Json]:
        """Return the numbers by their names."""
        return {
            "difference": self.difference.to_json(),
            "p_value": self.p_value,
            "margin": self.margin,
            "equivalent": self.equivalent,
            "equivalence_p_value": self.equivalence_p_value,
            "power": self.power.to_json() if self.power else None,
        }


def compare(reference: RunTable, other: RunTable, margin: float | None, wanted: float) -> Compared:
    """Return the second arm's rate minus the first's.

    Args:
        reference: an arm with one set of weights, or with the same training seeds as the other.
        other: an arm over the same prompts.
        margin: the difference that counts as none, if one is stated.
        wanted: the difference that a design should be able to see.
    """
    rows = _differences(reference, other)
    mean, runs = mean_of(rows), len(rows[0])
    could_see = power(squares_of(rows), len(rows), runs, wanted)
    if mean.degrees is None or len(reference.runs) == len(other.runs) == 1:
        counts = _counts(reference, other)
        narrow = paired_difference(counts, Z_90)
        within = None if margin is None else -margin < narrow.low and narrow.high < margin
        return Compared(paired_difference(counts), mcnemar(counts), within, None, margin, could_see)
    p_within = None if margin is None else equivalence_p_value(mean, margin)
    within = None if p_within is None else p_within < LEVEL
    return Compared(difference_interval(mean), p_value(mean), within, p_within, margin, could_see)


def _differences(reference: RunTable, other: RunTable) -> list[list[Fraction]]:
    """Return the differences by prompt (rows) and training run (columns)."""
    before, after = reference.by_training(), other.by_training()
    wide = len(after[0])
    # A base has one set of weights, with which each training run is compared.
    before = [row * wide if len(row) == 1 else row for row in before]
    return [[b - a for a, b in zip(*rows, strict=True)] for rows in zip(before, after, strict=True)]


def _counts(reference: RunTable, other: RunTable) -> PairedCounts:
    """Return the pairs of the first runs: where nothing varies between runs, any run is as good."""
    return PairedCounts.of(zip(reference.runs[0], other.runs[0], strict=True))
