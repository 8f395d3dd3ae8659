"""Two measurements of the same prompts: how their rates differ, and whether chance explains it.

Pairing by prompt is what makes a small benchmark sharp: prompts that answer alike both times drop out.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from kit.stats.intervals import Z_95, Interval, wilson

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class PairedCounts:
    """The four cells of a paired 2 x 2 table: in how many pairs did which side succeed."""

    both: int
    only_first: int
    only_second: int
    neither: int

    @classmethod
    def of(cls, pairs: Iterable[tuple[bool, bool]]) -> PairedCounts:
        """Count pairs of (first succeeded, second succeeded)."""
        counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
        for pair in pairs:
            counts[pair] += 1
        return cls(*counts.values())

    @property
    def n(self) -> int:
        """How many pairs there are."""
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def discordant(self) -> int:
        """In how many pairs one side alone succeeded."""
        return self.only_first + self.only_second

    @property
    def first(self) -> int:
        """Successes of the first side."""
        return self.both + self.only_first

    @property
    def second(self) -> int:
        """Successes of the second side."""
        return self.both + self.only_second


def paired_difference(counts: PairedCounts, z: float = Z_95) -> Interval:
    """Return the second rate minus the first, with its confidence interval.

    R. G. Newcombe (1998), Improved confidence intervals for the difference between binomial proportions based on
    paired data, Stat Med 17:2635-2650, method 10: Wilson limits, squared and added, with a corrected correlation.
    Swapping the sides negates the result to the last bit.
    """
    n = counts.n
    if n == 0:
        return Interval(None, -1.0, 1.0)
    first, second = wilson(counts.first, n, z), wilson(counts.second, n, z)
    estimate = (counts.only_second - counts.only_first) / n
    correlation = _correlation(counts)
    below = _combined(second.estimate, second.low, first.estimate, first.high, correlation)
    above = _combined(first.estimate, first.low, second.estimate, second.high, correlation)
    return Interval(estimate, max(-1.0, estimate - below), min(1.0, estimate + above))


def _combined(a: float | None, a_limit: float, b: float | None, b_limit: float, correlation: float) -> float:
    assert a is not None
    assert b is not None
    down, up = a - a_limit, b_limit - b
    # In this order of operations the result does not depend on which side is which.
    return sqrt(max(0.0, down * down + up * up - 2 * correlation * (down * up)))


def _correlation(counts: PairedCounts) -> float:
    """Return Newcombe's continuity-corrected phi; 0 where a margin is empty."""
    n = counts.n
    margins = counts.first * (n - counts.first) * counts.second * (n - counts.second)
    if margins == 0:
        return 0.0
    excess: float = counts.both * counts.neither - counts.only_first * counts.only_second
    if excess > 0:
        excess = max(0.0, excess - n / 2)
    return excess / sqrt(margins)


def mcnemar(counts: PairedCounts) -> float:
    """Return the exact two-sided p-value that both sides succeed equally often; 1 without discordant pairs.

    Q. McNemar (1947), Psychometrika 12:153-157, conditional on the discordant pairs, hence binomial with p = 1/2. The
    two tails are equal, so that all the two-sided p-values of M. P. Fay (2010), The R Journal 2(1):53-58, are twice the
    smaller tail. Summed in integers and rounded once.
    """
    ways = total = 1
    for chosen in range(min(counts.only_first, counts.only_second)):
        ways = ways * (counts.discordant - chosen) // (chosen + 1)
        total += ways
    return min(1.0, 2 * total / (1 << counts.discordant))


def smallest_p_value(counts: PairedCounts) -> float:
    """Return what `mcnemar` would give if all discordant pairs pointed the same way."""
    return mcnemar(PairedCounts(0, 0, counts.discordant, 0))
