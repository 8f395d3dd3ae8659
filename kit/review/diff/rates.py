"""The rates of each cell in common, paired by prompt."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kit.core.rates import RATES
from kit.review.diff.evidence import RateComparison
from kit.stats.intervals import wilson
from kit.stats.paired import PairedCounts, mcnemar, paired_difference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.cells import Cell
    from kit.core.rows import Verdict

Key = tuple["Cell", str, str]
"""Cell, judge, rate."""


def count_rates(kind: str, table: Mapping[tuple[Verdict, Verdict], int]) -> dict[str, PairedCounts]:
    """Count each rate of a kind of evaluation on both sides, given how often which two verdicts met."""
    return {name: _counted(table, verdict) for name, verdict in RATES[kind].items()}


def _counted(table: Mapping[tuple[Verdict, Verdict], int], verdict: Verdict) -> PairedCounts:
    counts: Counter[tuple[bool, bool]] = Counter()
    for (a, b), number in table.items():
        counts[a == verdict, b == verdict] += number
    return PairedCounts(counts[True, True], counts[True, False], counts[False, True], counts[False, False])


def compare_rates(counts: Mapping[Key, PairedCounts]) -> list[RateComparison]:
    """Compare all rates of the cells of two bundles."""
    return [
        RateComparison(
            cell=cell,
            judge=judge,
            rate=rate,
            counts=table,
            a=wilson(table.first, table.n),
            b=wilson(table.second, table.n),
            difference=paired_difference(table),
            p_value=mcnemar(table),
        )
        for (cell, judge, rate), table in counts.items()
    ]
