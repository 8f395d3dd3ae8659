"""How far a source spreads a rate: a standard deviation, with limits where they hold what they promise."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING

from kit.stats.anova import GENERATION, PROMPT, TRAINING, Table, coefficients, mean_squares
from kit.stats.distributions import logistic_normal_sd, logit
from kit.stats.intervals import wilson
from kit.stats.limits import component

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kit.core.canonical import Json

FEW = 10
"""With fewer prompts of the rarer kind in a run, logits are too skewed for limits."""
_LEFT_OUT = (0.005, 0.025)
"""Errors aimed at, below and above: the rates of a few seeds have long tails, which make a lower limit too high."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A standard deviation of a rate."""

    estimate: float
    low: float | None = None
    """95 %; None where no limits are known to hold."""
    high: float | None = None

    def to_json(self) -> dict[str, Json]:
        """Return `{"estimate", "low", "high"}`."""
        return {"estimate": self.estimate, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Counts:
    """In how many of its prompts each run had the verdict."""

    levels: Mapping[str, int]
    """Of the factors that tell runs apart, the last running fastest."""
    hits: Sequence[int]
    prompts: int


def limited(name: str, estimate: float, counts: Counts) -> tuple[Spread, str]:
    """Return the standard deviation that a source gives to a rate, with its limits, or with why there are none."""
    if name == PROMPT:
        if len(counts.hits) > 1:
            return Spread(estimate), "limits are known for a single run only"
        return _over_prompts(estimate, counts.hits[0], counts.prompts), ""
    if name not in {TRAINING, GENERATION} or len(counts.levels) > 2:
        return Spread(estimate), "limits are known for seeds of one arm and one judge only"
    if min(min(hits, counts.prompts - hits) for hits in counts.hits) < FEW:
        return Spread(estimate), f"limits would need {FEW} prompts in each run that had the verdict, and {FEW} without"
    return _over_seeds(name, estimate, counts), ""


def _over_prompts(estimate: float, hits: int, prompts: int) -> Spread:
    """Return the limits of sqrt(p (1 - p) / n), which are those of p."""
    ends = wilson(hits, prompts)
    variances = [p * (1 - p) for p in (ends.low, ends.high)]
    highest = 0.25 if ends.low <= 0.5 <= ends.high else max(variances)
    return _around(estimate, sqrt(min(variances) / prompts), sqrt(highest / prompts))


def _over_seeds(name: str, estimate: float, counts: Counts) -> Spread:
    """Return limits on the logits of the rates, where seeds are nearer to normal, mapped back to rates.

    Chi-square limits, or modified large-sample ones where both seeds were varied. Runs that did not differ leave room
    for a difference of one prompt in one of them.
    """
    logits = [logit(hits, counts.prompts) for hits in counts.hits]
    middle = sum(counts.hits) // len(logits)
    nearer = middle - 1 if 2 * middle > counts.prompts else middle + 1
    flip = Fraction(abs(logit(nearer, counts.prompts) - logit(middle, counts.prompts)))
    effect = frozenset({name})
    squares = mean_squares(Table(counts.levels, [Fraction(value) for value in logits]))
    found = component(coefficients(effect, counts.levels), squares, _LEFT_OUT)
    runs = counts.levels[name]
    flipped = Table({name: runs}, [0] * (runs - 1) + [flip])
    least = component(coefficients(effect, flipped.levels), mean_squares(flipped), _LEFT_OUT)
    mean = float(sum(map(Fraction, logits), Fraction(0)) / len(logits))
    low, high = (logistic_normal_sd(mean, sqrt(max(0.0, one))) for one in (found.low, max(found.high, least.high)))
    return _around(estimate, low, high)


def _around(estimate: float, low: float, high: float) -> Spread:
    return Spread(estimate, min(low, estimate), max(high, estimate))
