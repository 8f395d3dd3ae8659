"""The mean of several runs, and the difference of two means, clustered by prompt and by training run.

Prompts are a sample of what could be asked, training runs a sample of what the seed could have given; a value is
crossed with both. An interval that forgets either is too short.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING

from kit.stats.anova import PROMPT, TRAINING, Effect, MeanSquare, Table, mean_squares
from kit.stats.distributions import t_quantile, t_tail
from kit.stats.intervals import Z_95, Interval
from kit.stats.limits import Combination

if TYPE_CHECKING:
    from collections.abc import Sequence

PROMPTS, RUNS = frozenset({PROMPT}), frozenset({TRAINING})


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over prompts x training runs with what is needed to judge it."""

    estimate: float
    error: float
    """Standard error."""
    degrees: float | None
    """Of freedom (Satterthwaite); None where nothing varies."""


def squares_of(rows: Sequence[Sequence[Fraction]]) -> dict[Effect, MeanSquare]:
    """Return the mean squares of values by prompt (rows) and training run (columns)."""
    values = [value for row in rows for value in row]
    return mean_squares(Table({PROMPT: len(rows), TRAINING: len(rows[0])}, values))


def mean_of(rows: Sequence[Sequence[Fraction]]) -> Mean:
    """Return the mean of values by prompt (rows) and training run (columns).

    Var = (MS_prompts + MS_runs) / (prompts x runs): crossed random effects (Searle, Casella and McCulloch 1992) without
    taking away the interaction that both mean squares contain. That errs on the long side, by at most the error of one
    run over its prompts, and keeps the level with three to five runs, where the unbiased form does not.
    """
    squares = squares_of(rows)
    count = Fraction(1, len(rows) * len(rows[0]))
    total = Combination.of((count, squares[effect]) for effect in (PROMPTS, RUNS) if effect in squares)
    # Where prompts and runs are alike in the mean, what is left lies in their interaction.
    total = total or Combination.of((count, square) for square in squares.values())
    estimate = float(sum((sum(row, Fraction(0)) for row in rows), Fraction(0)) * count)
    return Mean(estimate, sqrt(total.value), total.degrees) if total else Mean(estimate, 0.0, None)


def rate_interval(mean: Mean, prompts: int, runs: int) -> Interval:
    """Return the 95 % interval of a mean rate: Wilson's, at the sample size that would have the same error.

    Korn and Graubard (1998), Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data, Survey Methodology 24:193-201, with Wilson's limits in place of Clopper and Pearson's
    (Dean and Pagano 2015, J Surv Stat Methodol 3:484-503). Where every answer was alike, each prompt counts once.
    """
    p = mean.estimate
    if mean.degrees is None or not 0 < p < 1:
        size, t = float(prompts), Z_95
    else:
        size, t = min(float(prompts * runs), p * (1 - p) / mean.error**2), t_quantile(0.975, mean.degrees)
    square = t * t / size
    middle = (p + square / 2) / (1 + square)
    half = t * sqrt(p * (1 - p) / size + square / (4 * size)) / (1 + square)
    return Interval(p, 0.0 if p == 0 else middle - half, 1.0 if p == 1 else middle + half)


def difference_interval(mean: Mean, probability: float = 0.975) -> Interval:
    """Return the interval of a mean difference: Student's t at the clustered error, within what is possible."""
    assert mean.degrees is not None
    half = t_quantile(probability, mean.degrees) * mean.error
    return Interval(mean.estimate, max(-1.0, mean.estimate - half), min(1.0, mean.estimate + half))


def p_value(mean: Mean) -> float:
    """Return the two-sided p-value that a mean difference is zero, by Student's t at the clustered error."""
    assert mean.degrees is not None
    return 2 * t_tail(abs(mean.estimate) / mean.error, mean.degrees)
