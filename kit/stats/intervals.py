"""A proportion with its confidence interval.

Whoever holds the rows must get the same double on any machine. IEEE 754 promises that for + - * / and the square
root, not for the functions of a C library; so nothing else is used here, and the normal quantiles are written out.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.core.canonical import Json

Z_95 = 1.959963984540054
"""Standard normal quantile of 0.975: a two-sided 95 % interval."""
Z_90 = 1.6448536269514722
"""Standard normal quantile of 0.95: a two-sided 90 % interval, as two one-sided tests at 5 % need it."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate between its confidence limits."""

    estimate: float | None
    """None where nothing was counted; the limits then span all that is possible."""
    low: float
    high: float

    def to_json(self) -> dict[str, Json]:
        """Return `{"estimate", "low", "high"}`."""
        return {"estimate": self.estimate, "low": self.low, "high": self.high}


def wilson(successes: int, n: int, z: float = Z_95) -> Interval:
    """Return the score interval for a binomial proportion.

    E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22:209-212; without
    continuity correction, as Newcombe (1998), Stat Med 17:857-872, method 3.
    """
    if n == 0:
        return Interval(None, 0.0, 1.0)
    square = z * z
    middle = 2 * successes + square
    spread = z * sqrt(square + 4 * successes * (n - successes) / n)
    width = 2 * (n + square)
    # At all successes the upper limit is 1, from which rounding can stray; at none the lower one cancels to 0 exactly.
    high = 1.0 if successes == n else (middle + spread) / width
    return Interval(successes / n, (middle - spread) / width, high)
