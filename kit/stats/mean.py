"""The mean of several runs, clustered by prompt and by training run, and its limits.

Prompts are a sample of what could be asked, training runs a sample of what the seed could have given; a value is
crossed with both. An interval that forgets either is too short.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf, sqrt
from typing import TYPE_CHECKING

from kit.stats.anova import PROMPT, TRAINING, Effect, MeanSquare, Table, mean_squares
from kit.stats.distributions import normal_exceeded, normal_tail, t_exceeded, t_tail
from kit.stats.intervals import Z_90, Z_95, Interval, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALLEST_TAIL = 1e-300
"""No smaller one is looked at: a double ends there."""
PROMPTS, RUNS = frozenset({PROMPT}), frozenset({TRAINING})


@dataclass(frozen=True, slots=True)
class Level:
    """How much an interval leaves out on either side, and the quantiles that do."""

    tail: float
    normal: float
    """What a standard normal exceeds with this probability."""
    known: tuple[int, float] = (0, 0.0)
    """Degrees of freedom whose quantile was there before the tail, and that quantile."""

    @classmethod
    def at(cls, statistic: float, degrees: int | None) -> Level:
        """Return the level at which a statistic is the quantile of Student's t, or, without degrees, the normal one."""
        if degrees is None:
            return cls(normal_tail(statistic), statistic)
        tail = t_tail(statistic, degrees)
        return cls(tail, normal_exceeded(tail) if tail > SMALLEST_TAIL else inf, (degrees, statistic))

    def t(self, degrees: int) -> float:
        """Return what Student's t exceeds with this probability."""
        return self.known[1] if degrees == self.known[0] else t_exceeded(self.tail, degrees)


LEVEL_95, LEVEL_90 = Level(0.025, Z_95), Level(0.05, Z_90)
"""Of two-sided intervals of 95 % and 90 %."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over prompts x training runs with what is needed to judge it."""

    estimate: float
    over_prompts: float
    """Variance of the mean that other prompts would give."""
    over_runs: float
    """Variance that other training runs would give; 0 for a single one."""
    prompts: int
    runs: int
    """Training runs."""
    answers: int

    @property
    def variance(self) -> float:
        """Both together."""
        return self.over_prompts + self.over_runs

    @property
    def is_one_run(self) -> bool:
        """Whether each prompt was answered once."""
        return self.answers == self.prompts

    def quantile(self, level: Level) -> float:
        """Return how many standard errors leave out what a level does.

        Each source has a quantile of its own, prompts the normal one as in Wilson's interval, runs Student's t with one
        degree less than there are, and they are added in quadrature, each with its part of the variance, as Zou and
        Donner (2008) add the limits of independent parts. Satterthwaite's single t takes its degrees from the same
        mean squares: where three runs lie together by luck, it believes their small variance and, with it, many
        degrees (docs/decisions/0026-differences.md).
        """
        if not self.over_runs:
            return level.normal
        square = self.over_prompts * level.normal**2 + self.over_runs * level.t(self.runs - 1) ** 2
        return sqrt(square / self.variance)


def squares_of(rows: Sequence[Sequence[int]], scale: int) -> dict[Effect, MeanSquare]:
    """Return the mean squares of values by prompt (rows) and training run (columns), given `scale` times too large."""
    values = [value for row in rows for value in row]
    squares = mean_squares(Table({PROMPT: len(rows), TRAINING: len(rows[0])}, values))
    return {effect: MeanSquare(square.value / scale**2, square.degrees) for effect, square in squares.items()}


def mean_of(rows: Sequence[Sequence[int]], scale: int) -> Mean:
    """Return the mean of values by prompt (rows) and training run (columns), given `scale` times too large.

    Var = (MS_prompts + MS_runs) / (prompts x runs): crossed random effects (Searle, Casella and McCulloch 1992) without
    taking away the interaction that both mean squares contain. That errs on the long side, by at most the error of one
    run over its prompts, and keeps the level with three to five runs, where the unbiased form does not.

    Args:
        rows: whole numbers; of verdicts, how many of `scale` generations had it.
        scale: what a value of 1 is given as.
    """
    squares = squares_of(rows, scale)
    prompts, runs = len(rows), len(rows[0])
    count = prompts * runs
    over_prompts, over_runs = (
        float(squares[effect].value / count) if effect in squares else 0.0 for effect in (PROMPTS, RUNS)
    )
    if not over_prompts and not over_runs:
        # Where prompts and runs are alike in the mean, what is left lies in their interaction.
        over_prompts = float(sum((square.value for square in squares.values()), Fraction(0)) / count)
    estimate = float(Fraction(sum(map(sum, rows)), count * scale))
    return Mean(estimate, over_prompts, over_runs, prompts, runs, count * scale)


def rate_interval(mean: Mean, level: Level = LEVEL_95) -> Interval:
    """Return the interval of a mean rate: Wilson's, at the sample size that would have the same error.

    Korn and Graubard (1998), Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data, Survey Methodology 24:193-201, with Wilson's limits in place of Clopper and Pearson's
    (Dean and Pagano 2015, J Surv Stat Methodol 3:484-503). Where every answer was alike, each prompt counts once. Of
    one run it is Wilson's interval itself.
    """
    p, t = mean.estimate, mean.quantile(level)
    if mean.is_one_run:
        return wilson(round(p * mean.prompts), mean.prompts, t)
    size = min(float(mean.answers), p * (1 - p) / mean.variance) if mean.variance else float(mean.prompts)
    square = t * t / size
    middle = (p + square / 2) / (1 + square)
    half = t * sqrt(p * (1 - p) / size + square / (4 * size)) / (1 + square)
    return Interval(p, 0.0 if p == 0 else middle - half, 1.0 if p == 1 else middle + half)
