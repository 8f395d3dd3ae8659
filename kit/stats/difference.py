"""The difference of two rates over all their runs: its interval, and the p-value that agrees with it."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from kit.stats.intervals import Interval
from kit.stats.mean import LEVEL_95, SMALLEST_TAIL, Level, Mean, rate_interval

if TYPE_CHECKING:
    from collections.abc import Callable

_STEPS = 200
_ENOUGH = 1e-12


@dataclass(frozen=True, slots=True)
class MeanDifference:
    """A mean of differences, as such: of pairs that are nearly the same, whose own limits say nothing of it."""

    mean: Mean

    def interval(self, level: Level = LEVEL_95) -> Interval:
        """Return it with its limits: so many clustered errors on either side."""
        half = self.mean.quantile(level) * sqrt(self.mean.variance)
        return Interval(self.mean.estimate, max(-1.0, self.mean.estimate - half), min(1.0, self.mean.estimate + half))

    def p_value(self) -> float:
        """Return the two-sided p-value that it is none: the level at which the interval reaches zero."""

        def beyond(level: Level) -> float:
            return abs(self.mean.estimate) - self.mean.quantile(level) * sqrt(self.mean.variance)

        return _level(beyond, abs(self.mean.estimate), self.mean)


@dataclass(frozen=True, slots=True)
class Difference:
    """Two means over the same prompts."""

    first: Mean
    second: Mean
    correlation: float
    """Of the two, from prompts and training seeds that both have."""
    exact: float | None = None
    """The exact test's p-value that they do not differ, where there is one (single runs): the interval heeds it."""

    @classmethod
    def of(cls, first: Mean, second: Mean, both: Mean, exact: float | None = None) -> Difference:
        """Correlate two means, given the mean of their differences.

        The covariance is what the variances of both leave of that of the difference. As in Newcombe's method 10 it is
        lowered by half a prompt, not below none: agreement that is perfect by luck shall not leave a point.
        """
        covariance = (first.variance + second.variance - both.variance) / 2
        if covariance > 0 and first.prompts > 1:
            covariance = max(0.0, covariance - 1 / (2 * first.prompts * (first.prompts - 1)))
        errors = sqrt(first.variance * second.variance)
        return cls(first, second, max(-1.0, min(1.0, covariance / errors)) if errors else 0.0, exact)

    def interval(self, level: Level = LEVEL_95) -> Interval:
        """Return the second rate minus the first, with its limits at a level.

        MOVER: the limits of the two rates, squared and added (Zou and Donner 2008, Construction of confidence limits
        about effect measures: a general approach, Stat Med 27:1693-1702); of single runs it is Newcombe's (1998)
        method 10. It never leaves what is possible.
        """
        low, high = self._limits(level)
        estimate = self.second.estimate - self.first.estimate
        if self.exact is not None and self.exact > 2 * level.tail:
            low, high = min(low, 0.0), max(high, 0.0)
        return Interval(estimate, low, high)

    def p_value(self) -> float:
        """Return the two-sided p-value that there is no difference: the level at which the interval reaches zero."""
        estimate = self.second.estimate - self.first.estimate

        def beyond(level: Level) -> float:
            low, high = self._limits(level)
            return low if estimate > 0 else -high

        found = _level(beyond, abs(estimate), self.first, self.second)
        return found if self.exact is None else max(found, self.exact)

    def _limits(self, level: Level) -> tuple[float, float]:
        first, second = rate_interval(self.first, level), rate_interval(self.second, level)
        estimate = self.second.estimate - self.first.estimate
        below = self._joined(self.second.estimate - second.low, first.high - self.first.estimate)
        above = self._joined(self.first.estimate - first.low, second.high - self.second.estimate)
        return max(-1.0, estimate - below), min(1.0, estimate + above)

    def _joined(self, down: float, up: float) -> float:
        # In this order of operations the result does not depend on which side is which.
        return sqrt(max(0.0, down * down + up * up - 2 * self.correlation * (down * up)))


def _level(beyond: Callable[[Level], float], estimate: float, *means: Mean) -> float:
    """Return the two-sided level at which a limit reaches zero, given how far beyond zero it is at a level."""
    if not estimate:
        return 1.0
    degrees = min((mean.runs - 1 for mean in means if mean.over_runs), default=None)

    def at(statistic: float) -> float:
        level = Level.at(statistic, degrees)
        return beyond(level) if level.tail > SMALLEST_TAIL else -1.0

    return min(1.0, 2 * Level.at(_root(at, estimate), degrees).tail)


def _root(falling: Callable[[float], float], above: float) -> float:
    """Return where a function that is `above` zero at 0 falls to it: the Illinois method, which keeps it enclosed."""
    low, high = 0.0, 1.0
    below = falling(high)
    while below > 0:
        low, above = high, below
        high *= 2
        below = falling(high)
    kept = 0
    for _ in range(_STEPS):
        if high - low <= _ENOUGH * high:
            break
        middle = (low * below - high * above) / (below - above)
        if not low < middle < high:
            middle = (low + high) / 2
        value = falling(middle)
        if value > 0:
            low, above = middle, value
            below = below / 2 if kept > 0 else below
            kept = 1
        else:
            high, below = middle, value
            above = above / 2 if kept < 0 else above
            kept = -1
    return high
