"""Where the movement of a rate comes from: one variance for each source, with limits."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING

from kit.stats.anova import PROMPT, Effect, MeanSquare, Table, coefficients, mean_squares
from kit.stats.spreads import Counts, Spread, limited

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kit.core.canonical import Json

REST = "rest"


@dataclass(frozen=True, slots=True)
class Source:
    """What one source contributes: to a rate, as a standard deviation, and to a single verdict, as a variance."""

    name: str
    rate: Spread | None
    """What the source gives to the rate of a single run."""
    verdict: float | None
    """Variance that it gives to the verdict on a single prompt."""
    why: str = ""
    """Why there is nothing to say, or no limits."""

    def to_json(self) -> dict[str, Json]:
        """Return `{"source", "rate_sd", "verdict_variance", "why"}`; limits are null where they would not hold."""
        rate = self.rate.to_json() if self.rate else None
        return {"source": self.name, "rate_sd": rate, "verdict_variance": self.verdict, "why": self.why or None}


def split(table: Table) -> list[Source]:
    """Return the sources of a table of 0 and 1 by prompt (the first factor) and whatever else was varied.

    Components of a full crossed design with every effect random, by expected mean squares (Searle, Casella and
    McCulloch 1992, Variance Components, chapter 4). Main effects have their names; all their interactions together
    are the rest. A rate is a mean over these very prompts: the other sources are what moves it when it is measured
    again, and `prompt` is what would move it if as many other prompts had been drawn. `kit.stats.spreads` has the
    limits.
    """
    prompts = table.levels[PROMPT]
    others = {name: count for name, count in table.levels.items() if name != PROMPT}
    varied = [name for name, count in others.items() if count > 1]
    by_verdict = mean_squares(table)
    hits = _hits(table)
    by_rate = mean_squares(Table(others, [Fraction(count, prompts) for count in hits]))
    sources = []
    for name in table.levels:
        if table.levels[name] < 2:
            sources.append(Source(name, None, None, f"there is only one {name.replace('_', ' ')}"))
            continue
        effect = frozenset({name})
        verdict = _variance(coefficients(effect, table.levels), by_verdict)
        variance = verdict / prompts if name == PROMPT else _variance(coefficients(effect, others), by_rate)
        rate, why = limited(name, sqrt(variance), Counts(others, hits, prompts))
        sources.append(Source(name, rate, verdict, why))
    return [*sources, _rest(table.levels, others, varied, by_verdict, by_rate)]


def _variance(weights: Mapping[Effect, Fraction], squares: Mapping[Effect, MeanSquare]) -> float:
    """Return the unbiased estimate of a component, or 0 where that is negative."""
    return float(
        max(Fraction(0), sum((weight * squares[effect].value for effect, weight in weights.items()), Fraction(0)))
    )


def _rest(
    levels: Mapping[str, int],
    others: Mapping[str, int],
    varied: list[str],
    by_verdict: Mapping[Effect, MeanSquare],
    by_rate: Mapping[Effect, MeanSquare],
) -> Source:
    if len(varied) < 2:
        what = varied[0].replace("_", " ") if varied else "prompt"
        return Source(REST, None, None, f"what remains cannot be told from the {what}: nothing else was varied")
    verdict = _variance(_summed(levels, by_verdict), by_verdict)
    rate = sqrt(_variance(_summed(others, by_rate), by_rate))
    return Source(REST, Spread(rate), verdict, "limits of interactions would need many more runs")


def _summed(levels: Mapping[str, int], squares: Iterable[Effect]) -> dict[Effect, Fraction]:
    """Return the weights of the sum of all interactions' components."""
    weights: dict[Effect, Fraction] = {}
    for effect in squares:
        if len(effect) > 1:
            for part, weight in coefficients(effect, levels).items():
                weights[part] = weights.get(part, Fraction(0)) + weight
    return weights


def _hits(table: Table) -> list[int]:
    """Return the table's sums over the prompts, its first factor."""
    size = len(table.values) // table.levels[PROMPT]
    rows = (table.values[start : start + size] for start in range(0, len(table.values), size))
    return [int(sum(column)) for column in zip(*rows, strict=True)]
