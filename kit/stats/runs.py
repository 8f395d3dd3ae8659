"""What one run at a time gives: its rates, how they spread over the seeds, and each run against the base's."""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING

from kit.core.cells import BASE, ArmSeed, Cell
from kit.core.rates import PRIMARY_RATE, RATES, VERDICTS
from kit.stats.answers import is_too_many
from kit.stats.intervals import wilson
from kit.stats.paired import PairedCounts, mcnemar, paired_difference
from kit.stats.repeats import spread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kit.core.canonical import Json
    from kit.core.rows import Verdict
    from kit.stats.judged import JudgedCell
    from kit.stats.measured import Measured


def rates(measured: Measured) -> dict[str, Json]:
    """Return the block `rates`: what each judge counted in each cell, and the rates with their intervals."""
    cells: defaultdict[str, dict[str, Json]] = defaultdict(dict)
    for one in measured.judged:
        counts, n = Counter(one.verdicts), len(one.verdicts)
        cells[str(one.cell)][one.judge] = {
            **_counted(one.verdicts, one.kind),
            "rates": {name: wilson(counts[verdict], n).to_json() for name, verdict in RATES[one.kind].items()},
            "categories": _categories(one),
        }
    return dict(cells)


def _counted(verdicts: Iterable[Verdict], kind: str) -> dict[str, Json]:
    counts = Counter(verdicts)
    return {"n": counts.total(), "counts": {verdict.value: counts[verdict] for verdict in VERDICTS[kind]}}


def _categories(one: JudgedCell) -> dict[str, Json]:
    by_category: defaultdict[str, list[Verdict]] = defaultdict(list)
    for category, verdict in zip(one.categories, one.verdicts, strict=True):
        by_category[category].append(verdict)
    return {category: _counted(verdicts, one.kind) for category, verdicts in by_category.items()}


def repeats(measured: Measured) -> dict[str, Json]:
    """Return the block `repeats`: how each rate of an arm spreads over its runs."""
    found: defaultdict[tuple[str, str, str, str], list[Fraction]] = defaultdict(list)
    for one in measured.judged:
        for name, verdict in RATES[one.kind].items():
            if one.verdicts:
                rate = Fraction(one.verdicts.count(verdict), len(one.verdicts))
                found[one.cell.weights.arm, one.cell.evaluation, one.judge, name].append(rate)
    arms: dict[str, Json] = {}
    for path, values in found.items():
        place = arms
        for key in path[:-1]:
            place = place.setdefault(key, {})  # type: ignore[assignment]  # every level above a name is an object
        place[path[-1]] = spread(values).to_json()
    return arms


def run_differences(measured: Measured) -> list[Json]:
    """Return the block `run_differences`: each cell against the base's at the same generation seed."""
    by_name = {(one.cell, one.judge): one for one in measured.judged}
    comparisons: list[Json] = []
    for one in by_name.values():
        base = Cell(ArmSeed(BASE, None), one.cell.evaluation, one.cell.generation_seed)
        reference = by_name.get((base, one.judge))
        if reference and reference is not one:
            comparisons.append(_comparison(reference, one))
    return comparisons


def _comparison(reference: JudgedCell, one: JudgedCell) -> dict[str, Json]:
    name = PRIMARY_RATE[one.kind]
    counts = _paired(reference, one, RATES[one.kind][name])
    return {
        "evaluation": one.cell.evaluation,
        "judge": one.judge,
        "generation_seed": one.cell.generation_seed,
        "reference": str(reference.cell.weights),
        "weights": str(one.cell.weights),
        "rate": name,
        "n": counts.n,
        "both": counts.both,
        "only_reference": counts.only_first,
        "only_weights": counts.only_second,
        "neither": counts.neither,
        "difference": paired_difference(counts).to_json(),
        "p_value": mcnemar(counts),
    }


def _paired(first: JudgedCell, second: JudgedCell, verdict: Verdict) -> PairedCounts:
    pairs = zip(first.verdicts, second.verdicts, strict=True)
    return PairedCounts.of((a == verdict, b == verdict) for a, b in pairs)


def flags(measured: Measured) -> list[Json]:
    """Return the block `flags`: cells of which so much is incoherent that their other rates say little."""
    return [flag for one in measured.judged for flag in _flag(one)]


def _flag(one: JudgedCell) -> Iterable[dict[str, Json]]:
    incoherent, n = one.verdicts.count(RATES[one.kind]["incoherent_rate"]), len(one.verdicts)
    if is_too_many(incoherent, n):
        yield {"cell": str(one.cell), "judge": one.judge, "kind": "incoherent", "share": incoherent / n}
