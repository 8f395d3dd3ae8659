"""The analysis of variance of a full crossed table with one value in each cell.

Every sum is exact, so the order of the factors and of their levels cannot move a bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, combinations
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PROMPT, TRAINING, GENERATION = "prompt", "training_seed", "generation_seed"
VARIATION, JUDGE = "variation", "judge"
"""The factors of a study."""
Effect = frozenset[str]
"""The factors of an effect: one for a main effect, several for their interaction."""


@dataclass(frozen=True, slots=True)
class Table:
    """Values by the levels of some factors, the last factor running fastest."""

    levels: Mapping[str, int]
    """By factor, in the order of the values."""
    values: Sequence[Fraction | int]

    def __post_init__(self) -> None:
        if len(self.values) != prod(self.levels.values()):
            raise ValueError("a table needs one value for each combination of levels")


@dataclass(frozen=True, slots=True)
class MeanSquare:
    """A sum of squares over its degrees of freedom."""

    value: Fraction
    degrees: int


def mean_squares(table: Table) -> dict[Effect, MeanSquare]:
    """Return the mean square of every effect of the factors that have at least two levels.

    The textbook's identities for a full crossed design (Searle, Casella and McCulloch 1992, Variance Components,
    chapter 4): a sum of squares is an alternating sum of the squared marginal totals.
    """
    factors = [factor for factor, count in table.levels.items() if count > 1]
    totals = _squared_totals(table)
    found = {}
    for effect in _subsets(factors):
        if effect:
            squares = sum(
                ((-1) ** (len(effect) - len(part)) * totals[part] for part in _subsets(sorted(effect))), Fraction(0)
            )
            degrees = prod(table.levels[factor] - 1 for factor in effect)
            found[effect] = MeanSquare(squares / degrees, degrees)
    return found


def coefficients(effect: Effect, levels: Mapping[str, int]) -> dict[Effect, Fraction]:
    """Return the weights of the mean squares whose sum estimates an effect's variance component, without bias.

    In the model with every effect random, E[MS_S] is the sum over all effects U that contain S of the product of the
    levels outside U times U's component; inverting it gives alternating signs (Brennan 2001, Generalizability Theory,
    section 3.4).
    """
    factors = [factor for factor, count in levels.items() if count > 1]
    scale = prod(levels[factor] for factor in factors if factor not in effect)
    others = [factor for factor in factors if factor not in effect]
    return {effect | more: Fraction((-1) ** len(more), scale) for more in _subsets(others)}


def _squared_totals(table: Table) -> dict[Effect, Fraction]:
    """Return, for each set of factors, the sum of its squared marginal totals, each over its number of values."""
    count = prod(table.levels.values())
    totals: dict[Effect, Fraction] = {}
    pending = [(tuple(table.levels), list(table.values))]
    while pending:
        factors, values = pending.pop()
        key = frozenset(factor for factor in factors if table.levels[factor] > 1)
        if frozenset(factors) in totals:
            continue
        total = Fraction(sum(value * value for value in values)) * len(values) / count
        totals[frozenset(factors)] = totals[key] = total
        pending += [_without(table.levels, factors, values, factor) for factor in factors]
    return totals


def _without(
    levels: Mapping[str, int], factors: tuple[str, ...], values: list[Fraction | int], factor: str
) -> tuple[tuple[str, ...], list[Fraction | int]]:
    """Return the marginal totals over one factor."""
    place = factors.index(factor)
    inner = prod(levels[name] for name in factors[place + 1 :])
    block = inner * levels[factor]
    summed: list[Fraction | int] = []
    for start in range(0, len(values), block):
        rows = [values[offset : offset + inner] for offset in range(start, start + block, inner)]
        summed += map(sum, zip(*rows, strict=True))
    return (*factors[:place], *factors[place + 1 :]), summed


def _subsets(factors: Iterable[str]) -> Iterator[Effect]:
    names = list(factors)
    return map(frozenset, chain.from_iterable(combinations(names, size) for size in range(len(names) + 1)))
