"""Where the movement of a rate comes from: one variance for each source, with limits."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING

from kit.stats.anova import PROMPT, Effect, MeanSquare, Table, coefficients, mean_squares
from kit.stats.limits import Component, component

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kit.core.canonical import Json

REST = "rest"


@dataclass(frozen=True, slots=True)
class Source:
    """What one source contributes: to a rate, as a standard deviation, and to a single verdict, as a variance."""

    name: str
    rate: Component | None
    """Variance that the source gives to the rate of a single run."""
    verdict: Component | None
    """Variance that it gives to the verdict on a single prompt."""
    why: str = ""
    """Why there is nothing to say."""

    def to_json(self) -> dict[str, Json]:
        """Return `{"source", "rate_sd", "verdict_variance", "why"}`; one of the last and the two before is null."""
        if self.rate is None or self.verdict is None:
            return {"source": self.name, "rate_sd": None, "verdict_variance": None, "why": self.why}
        sd = {"estimate": sqrt(self.rate.estimate), "low": sqrt(self.rate.low), "high": sqrt(self.rate.high)}
        return {"source": self.name, "rate_sd": {**sd}, "verdict_variance": self.verdict.to_json(), "why": None}


def split(table: Table) -> list[Source]:
    """Return the sources of a table of 0 and 1 by prompt (the first factor) and whatever else was varied.

    Components of a full crossed design with every effect random, by expected mean squares (Searle, Casella and
    McCulloch 1992, Variance Components, chapter 4). Main effects have their names; all their interactions together
    are the rest. A rate is a mean over these very prompts: the other sources are what moves it when it is measured
    again, and `prompt` is what would move it if as many other prompts had been drawn.
    """
    prompts = table.levels[PROMPT]
    others = {name: count for name, count in table.levels.items() if name != PROMPT}
    varied = [name for name, count in others.items() if count > 1]
    by_verdict = mean_squares(table)
    by_rate = mean_squares(_rates(table))
    sources = []
    for name in table.levels:
        if table.levels[name] < 2:
            sources.append(Source(name, None, None, f"there is only one {name.replace('_', ' ')}"))
            continue
        effect = frozenset({name})
        verdict = component(coefficients(effect, table.levels), by_verdict)
        if name == PROMPT:
            rate = Component(verdict.raw / prompts, verdict.low / prompts, verdict.high / prompts)
        else:
            rate = component(coefficients(effect, others), by_rate)
        sources.append(Source(name, rate, verdict))
    return [*sources, _rest(table.levels, others, varied, by_verdict, by_rate)]


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
    verdict = component(_summed(levels, by_verdict), by_verdict)
    return Source(REST, component(_summed(others, by_rate), by_rate), verdict)


def _summed(levels: Mapping[str, int], squares: Iterable[Effect]) -> dict[Effect, Fraction]:
    """Return the weights of the sum of all interactions' components."""
    weights: dict[Effect, Fraction] = {}
    for effect in squares:
        if len(effect) > 1:
            for part, weight in coefficients(effect, levels).items():
                weights[part] = weights.get(part, Fraction(0)) + weight
    return weights


def _rates(table: Table) -> Table:
    """Return the table's means over the prompts, its first factor."""
    prompts = table.levels[PROMPT]
    size = len(table.values) // prompts
    sums = map(
        sum, zip(*(table.values[start : start + size] for start in range(0, len(table.values), size)), strict=True)
    )
    levels = {name: count for name, count in table.levels.items() if name != PROMPT}
    return Table(levels, [Fraction(total) / prompts for total in sums])
