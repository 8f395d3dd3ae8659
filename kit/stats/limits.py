"""Confidence limits for sums of mean squares: for variance components, and for means that rest on them."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from kit.stats.distributions import chi_square_quantile, f_quantile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from fractions import Fraction

    from kit.core.canonical import Json
    from kit.stats.anova import Effect, MeanSquare


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


def component(
    weights: Mapping[Effect, Fraction],
    squares: Mapping[Effect, MeanSquare],
    left_out: tuple[float, float] = (0.025, 0.025),
) -> Component:
    """Return a sum and difference of mean squares, with its modified large-sample interval.

    `left_out` is the error below the lower and above the upper limit.

    Ting, Burdick, Graybill, Jeyaratnam and Lu (1990), J Stat Comput Simul 35:135-143, as in Burdick and Graybill
    (1992), Confidence Intervals on Variance Components, section 3.4, each mean square with degrees of its own; among
    terms of one sign without their cross terms, as Graybill and Wang (1980), JASA 75:869-873, add them up. Exact for a
    single mean square, and close to its level from two degrees of freedom on, for normal effects.
    """
    plus = [_Term(float(weight * squares[effect].value), squares[effect].degrees) for effect, weight in _of(weights, 1)]
    minus = [
        _Term(float(-weight * squares[effect].value), squares[effect].degrees) for effect, weight in _of(weights, -1)
    ]
    left, right = left_out
    below = sum((one.down(left) * one.value) ** 2 for one in plus)
    below += sum((one.up(left) * one.value) ** 2 for one in minus)
    above = sum((one.up(right) * one.value) ** 2 for one in plus)
    above += sum((one.down(right) * one.value) ** 2 for one in minus)
    for one in plus:
        for other in minus:
            upper = f_quantile(1 - left, one.degrees, other.degrees)
            lower = f_quantile(right, one.degrees, other.degrees)
            both = one.value * other.value
            below += ((upper - 1) ** 2 - (one.down(left) * upper) ** 2 - other.up(left) ** 2) / upper * both
            above += ((1 - lower) ** 2 - (one.up(right) * lower) ** 2 - other.down(right) ** 2) / lower * both
    raw = sum(one.value for one in plus) - sum(one.value for one in minus)
    return Component(raw, max(0.0, raw - sqrt(max(0.0, below))), max(0.0, raw + sqrt(max(0.0, above))))


def _of(weights: Mapping[Effect, Fraction], sign: int) -> list[tuple[Effect, Fraction]]:
    """Return the weights of one sign, in an order that does not depend on how sets are hashed."""
    return sorted(((effect, weight) for effect, weight in weights.items() if sign * weight > 0), key=_name)


def _name(weighted: tuple[Effect, Fraction]) -> list[str]:
    return sorted(weighted[0])


@dataclass(frozen=True, slots=True)
class _Term:
    """A weighted mean square."""

    value: float
    degrees: int

    def down(self, error: float) -> float:
        """How far below it the truth may lie, as a share."""
        return 1 - 1 / _over(1 - error, self.degrees)

    def up(self, error: float) -> float:
        """How far above it the truth may lie, as a share."""
        return 1 / _over(error, self.degrees) - 1


def _over(probability: float, degrees: float) -> float:
    """Return a quantile of F with infinite degrees of freedom below."""
    return chi_square_quantile(probability, degrees) / degrees
