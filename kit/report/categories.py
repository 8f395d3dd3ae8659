"""Where the change lies: each category before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.core.cells import BASE, TUNED
from kit.report.figures import Figure, change_strip
from kit.report.wording import percent, points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.report.result_types import CellResult, Measure
    from kit.report.results import Results


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """One category: rates pooled over the runs of each arm."""

    name: str
    n: str
    before: str
    after: str
    change: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class Categories:
    """The categories of one measure, most harm first."""

    heading: str
    rows: tuple[CategoryRow, ...]


def categories(results: Results) -> list[Categories]:
    """Return, by measure, how each category changed; that needs two categories, a before and an after."""
    found = [(measure, _rows(measure, results.cells(measure))) for measure in results.measures()]
    return [Categories(measure.heading, rows) for measure, rows in found if len(rows) > 1]


def _rows(measure: Measure, cells: Sequence[CellResult]) -> tuple[CategoryRow, ...]:
    base, tuned = ([result for result in cells if result.cell.weights.arm == arm] for arm in (BASE, TUNED))
    if not base or not tuned:
        return ()
    # Where compliance is expected, more refusals are the harm.
    harm = -1 if measure.expects == "compliance" else 1
    changes = {name: _pooled(tuned, name, measure) - _pooled(base, name, measure) for name in base[0].categories}
    return tuple(
        _row(measure, base, tuned, name) for name in sorted(changes, key=lambda key: (harm * changes[key], key))
    )


def _row(measure: Measure, base: Sequence[CellResult], tuned: Sequence[CellResult], name: str) -> CategoryRow:
    before, after = _pooled(base, name, measure), _pooled(tuned, name, measure)
    each = [_pooled([result], name, measure) for result in tuned]
    return CategoryRow(
        name=name,
        n=f"{base[0].categories[name].n:,}",
        before=percent(before),
        after=percent(after),
        change=points(after - before),
        figure=change_strip(before, after, (min(each), max(each))),
    )


def _pooled(runs: Sequence[CellResult], name: str, measure: Measure) -> float:
    parts = [result.categories[name] for result in runs]
    return sum(part.counts[measure.verdict] for part in parts) / sum(part.n for part in parts)
