"""Where a single further run is to be expected: what someone who reruns an experiment once should be held to."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING

from kit.stats.anova import GENERATION, TRAINING, Effect, MeanSquare, Table, mean_squares
from kit.stats.distributions import t_quantile
from kit.stats.intervals import Interval
from kit.stats.limits import Combination

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kit.stats.judged import RunTable

_TRAINING, _GENERATION = frozenset({TRAINING}), frozenset({GENERATION})


def next_run(table: RunTable) -> Interval | None:
    """Return the 95 % prediction interval for the rate of one more run over the same prompts, with seeds of its own.

    A mean of runs plus Student's t times the error of (mean - new run), whose variance is put together from the mean
    squares of training and generation seeds (Hahn and Meeker 1991, Statistical Intervals, section 4.7, for one source;
    Satterthwaite's degrees for several). Runs that did not differ are taken as if one prompt of one of them had.

    Returns:
        None after a single run: nothing says how far another would lie.
    """
    count, prompts = len(table.runs), table.prompts
    if count < 2:
        return None
    rates = [Fraction(sum(run), prompts) for run in table.runs]
    levels = {TRAINING: len(table.training), GENERATION: len(table.generation)}
    squares = mean_squares(Table(levels, rates))
    found = Combination.of((weight, squares[effect]) for effect, weight in _weights(squares, levels))
    # One flip among the runs gives this mean square and, with it, this variance of a new run.
    least = sqrt(Fraction(1, prompts**2 * count) * (1 + Fraction(1, count)))
    half = t_quantile(0.975, count - 1) * least
    if found:
        half = max(half, t_quantile(0.975, found.degrees) * sqrt(found.value))
    mean = float(sum(rates, Fraction(0)) / count)
    return Interval(mean, max(0.0, mean - half), min(1.0, mean + half))


def _weights(squares: Mapping[Effect, MeanSquare], levels: Mapping[str, int]) -> Iterator[tuple[Effect, Fraction]]:
    """Yield the weights that make expected mean squares the variance of (new run - mean).

    A new run brings each component once and the mean brings it over its number of levels: sigma²_T (1 + 1/T) +
    sigma²_G (1 + 1/G) + sigma²_TG (1 + 1/TG), solved for the mean squares. A negative weight is left out.
    """
    training, generation = levels[TRAINING], levels[GENERATION]
    over_training, over_generation = 1 + Fraction(1, training), 1 + Fraction(1, generation)
    if _TRAINING in squares:
        yield _TRAINING, over_training / generation
    if _GENERATION in squares:
        yield _GENERATION, over_generation / training
    both = _TRAINING | _GENERATION
    if both in squares:
        weight = 1 + Fraction(1, training * generation) - over_training / generation - over_generation / training
        yield both, max(Fraction(0), weight)
