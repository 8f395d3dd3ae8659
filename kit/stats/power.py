"""What a design could have seen at all, and what design a wanted difference needs."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from kit.stats.mean import LEVEL_95, PROMPTS, RUNS, Level, Mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kit.core.canonical import Json
    from kit.stats.anova import Effect, MeanSquare

POWER = 0.8
_POWER = Level(1 - POWER, 0.8416212335729143)
MOST_RUNS, MOST_PROMPTS = 100, 100_000
"""Beyond these a design is not proposed."""


@dataclass(frozen=True, slots=True)
class Power:
    """What a comparison can see with probability 0.8 at the 5 % level."""

    detectable: float
    """The smallest difference, with the prompts and runs there are."""
    wanted: float
    training_runs_needed: int | None
    """Training runs that the wanted difference needs with these prompts; None where no number up to 100 is enough."""
    prompts_needed: int | None
    """Prompts that it needs with these runs; None where no number up to 100,000 is enough."""

    def to_json(self) -> dict[str, Json]:
        """Return the numbers by their names."""
        return {
            "detectable": self.detectable,
            "wanted": self.wanted,
            "training_runs_needed": self.training_runs_needed,
            "prompts_needed": self.prompts_needed,
        }


@dataclass(frozen=True, slots=True)
class _Variances:
    """Components of a difference: over prompts, over runs, and of a single value."""

    prompt: float
    run: float
    single: float

    def detectable(self, prompts: int, runs: int) -> float:
        """Return (t_0.975 + t_0.8) standard errors.

        Bloom (1995), Minimum detectable effects, Evaluation Review 19:547-556. Error and t are those of
        `kit.stats.mean.Mean`, from the mean squares that this design can expect: every part falls with more prompts
        and with more runs, so that more is never worse.
        """
        count = prompts * runs
        over_prompts = (self.single + runs * self.prompt) / count
        over_runs = (self.single + prompts * self.run) / count if runs > 1 else 0.0
        expected = Mean(0.0, over_prompts, over_runs, prompts, runs, 2 * count)
        return (expected.quantile(LEVEL_95) + expected.quantile(_POWER)) * sqrt(expected.variance)


def power(squares: Mapping[Effect, MeanSquare], prompts: int, runs: int, wanted: float) -> Power | None:
    """Return the power of a comparison whose mean squares by prompt and run are given.

    None with a single prompt, and where no difference varied: then nothing says how far it could have.
    """
    if not any(square.value for square in squares.values()):
        return None
    of_prompts = float(squares[PROMPTS].value)
    if runs == 1:
        found = _Variances(of_prompts, 0.0, 0.0)
        needed_runs = 1 if found.detectable(prompts, 1) <= wanted else None
    else:
        single, of_runs = float(squares[PROMPTS | RUNS].value), float(squares[RUNS].value)
        found = _Variances(max(0.0, of_prompts - single) / runs, max(0.0, of_runs - single) / prompts, single)
        needed_runs = _smallest(lambda number: found.detectable(prompts, number) <= wanted, 2, MOST_RUNS)
    needed_prompts = _smallest(lambda number: found.detectable(number, runs) <= wanted, 2, MOST_PROMPTS)
    return Power(found.detectable(prompts, runs), wanted, needed_runs, needed_prompts)


def _smallest(is_enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """Return the smallest number that is enough, if `high` is: more is never worse."""
    if not is_enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    return low
