"""One rate, measured several times: the paper's bars from the smallest to the largest."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.core.canonical import Json


@dataclass(frozen=True, slots=True)
class Repeats:
    """How a rate spreads over training seeds x generation seeds."""

    repeats: int
    mean: float
    sd: float | None
    """Sample standard deviation (divisor k - 1); None for a single repeat."""
    minimum: float
    maximum: float

    def to_json(self) -> dict[str, Json]:
        """Return `{"repeats", "mean", "sd", "min", "max"}`."""
        return {
            "repeats": self.repeats,
            "mean": self.mean,
            "sd": self.sd,
            "min": self.minimum,
            "max": self.maximum,
        }


def spread(rates: Sequence[Fraction]) -> Repeats:
    """Summarise at least one repeat; each number is rounded once, from its exact value (the sd twice)."""
    mean = sum(rates, Fraction(0)) / len(rates)
    sd = None
    if len(rates) > 1:
        squares = sum(((rate - mean) ** 2 for rate in rates), Fraction(0))
        sd = sqrt(float(squares / (len(rates) - 1)))
    return Repeats(len(rates), float(mean), sd, float(min(rates)), float(max(rates)))
