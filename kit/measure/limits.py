"""Confidence limits for sums of mean squares: for variance components, and for means that rest on them."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from kit.measure.distributions import chi_square_quantile, f_quantile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from fractions import Fraction

    from kit.canonical import Json
    from kit.measure.anova import Effect, MeanSquare

_UPPER, _LOWER = 0.975, 0.025


@dataclass(frozen=True, slots=True)
class Combination:
    """A sum of mean squares with positive weights, as if it were one."""

    value: float
    degrees: float
    """Satterthwaite (1946), An approximate distribution of estimates of variance components, Biometrics 2:110-114."""

    @classmethod
    def of(cls, terms: Iterable[tuple[Fraction, MeanSquare]]) -> Combination | None:
        """Add up; None where nothing is left that is not zero."""
        parts = [(weight * square.value, square.degrees) for weight, square in terms]
        total = sum(part for part, _ in parts)
        if not total:
            return None
        return cls(float(total), float(total**2 / sum(part**2 / degrees for part, degrees in parts)))


@dataclass(frozen=True, slots=True)
class Component:
    """A variance with its 95 % limits."""

    raw: float
    """The estimate without bias, which may be negative."""
    low: float
    high: float

    @property
    def estimate(self) -> float:
        """What a variance can be: not below zero."""
        return max(0.0, self.raw)

    def to_json(self) -> dict[str, Json]:
        """Return `{"estimate", "low", "high"}`."""
        return {"estimate": self.estimate, "low": self.low, "high": self.high}


def component(weights: Mapping[Effect, Fraction], squares: Mapping[Effect, MeanSquare]) -> Component:
    """Return a difference of sums of mean squares, with its modified large-sample interval.

    Burdick and Graybill (1992), Confidence Intervals on Variance Components, section 3.3 (Ting and others 1990): exact
    where one side is missing, and close to its level from two degrees of freedom on, for normal effects.
    """
    plus = Combination.of((weight, squares[effect]) for effect, weight in weights.items() if weight > 0)
    minus = Combination.of((-weight, squares[effect]) for effect, weight in weights.items() if weight < 0)
    p, n = plus.value if plus else 0.0, minus.value if minus else 0.0
    below = above = 0.0
    if plus:
        g1, h1 = 1 - 1 / _over(_UPPER, plus.degrees), 1 / _over(_LOWER, plus.degrees) - 1
        below, above = (g1 * p) ** 2, (h1 * p) ** 2
    if minus:
        g2, h2 = 1 - 1 / _over(_UPPER, minus.degrees), 1 / _over(_LOWER, minus.degrees) - 1
        below, above = below + (h2 * n) ** 2, above + (g2 * n) ** 2
    if plus and minus:
        upper = f_quantile(_UPPER, plus.degrees, minus.degrees)
        lower = f_quantile(_LOWER, plus.degrees, minus.degrees)
        below += ((upper - 1) ** 2 - (g1 * upper) ** 2 - h2**2) / upper * p * n
        above += ((1 - lower) ** 2 - (h1 * lower) ** 2 - g2**2) / lower * p * n
    low, high = p - n - sqrt(max(0.0, below)), p - n + sqrt(max(0.0, above))
    return Component(p - n, max(0.0, low), max(0.0, high))


def _over(probability: float, degrees: float) -> float:
    """Return a quantile of F with infinite degrees of freedom below."""
    return chi_square_quantile(probability, degrees) / degrees
