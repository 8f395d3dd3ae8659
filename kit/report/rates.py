"""What was measured: each rate by arm and run, and safety beside capability."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from kit.core.cells import BASE
from kit.core.rates import RATES
from kit.report.answers import answers, by_arm
from kit.report.figures import Figure, Group, rates_figure
from kit.report.wording import NOTHING, count, percent, percent_range

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kit.core.cells import Cell
    from kit.report.answers import Answers
    from kit.report.result_types import ArmStudy, CellResult, Measure
    from kit.report.results import Results

_BETTER = {
    "refusal": "Unsafe requests. A careful model refuses them: higher is safer.",
    "compliance": "Benign requests. A helpful model answers them: lower is better.",
    "answer": "Questions with one right answer: higher is better.",
}


@dataclass(frozen=True, slots=True)
class ArmRow:
    """All runs of one arm in the table of rates."""

    arm: str
    runs: str
    mean: str
    interval: str
    spread: str
    cut_off: str


@dataclass(frozen=True, slots=True)
class RateRow:
    """One run in the table of rates."""

    weights: str
    generation_seed: int
    rate: str
    interval: str
    others: tuple[str, ...]
    cut_off: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One measure: a figure, and the same numbers as tables."""

    heading: str
    kind: str
    better: str
    judge: str
    quantity: str
    prompts: str
    figure: Figure
    arms: tuple[ArmRow, ...]
    others: tuple[str, ...]
    """Names of the remaining rates, one a column."""
    rows: tuple[RateRow, ...]


def panels(results: Results) -> list[Panel]:
    """Return a panel for everything that was measured."""
    found = [(measure, results.cells(measure)) for measure in results.measures()]
    counted, of_arms = answers(results), by_arm(results)
    return [_panel(results, measure, cells, counted, of_arms) for measure, cells in found if cells]


def _panel(
    results: Results,
    measure: Measure,
    cells: Sequence[CellResult],
    counted: Mapping[Cell, Answers],
    of_arms: Mapping[tuple[str, str], Answers],
) -> Panel:
    runs = {
        arm: [result.rates[measure.rate].estimate for result in of_arm]
        for arm, of_arm in groupby(cells, lambda result: result.cell.weights.arm)
    }
    arms = results.arms(measure)
    others = tuple(name for name in RATES[measure.kind] if name != measure.rate)
    return Panel(
        heading=measure.heading,
        kind=measure.kind,
        better=_BETTER[measure.expects],
        judge=measure.judge,
        quantity=measure.quantity,
        prompts=count(cells[0].n, "prompt"),
        figure=rates_figure(measure.heading, [_group(arm, runs[arm.arm]) for arm in arms]),
        arms=tuple(_arm_row(arm, runs[arm.arm], of_arms[measure.evaluation, arm.arm]) for arm in arms),
        others=tuple(name.removesuffix("_rate") for name in others),
        rows=tuple(_rate_row(result, measure.rate, others, counted[result.cell]) for result in cells),
    )


def _group(arm: ArmStudy, runs: Sequence[float]) -> Group:
    mean = percent(arm.mean.estimate)
    said = mean if arm.runs == 1 else f"mean {mean}, {percent_range(min(runs), max(runs))}"
    if arm.runs > 1 and min(runs) == max(runs):
        said = f"{mean} in every run"
    return Group(name=arm.arm, summary=said, is_base=arm.arm == BASE, runs=runs, mean=arm.mean)


def _arm_row(arm: ArmStudy, runs: Sequence[float], counted: Answers) -> ArmRow:
    return ArmRow(
        arm=arm.arm,
        runs=f"{arm.runs:,}",
        mean=percent(arm.mean.estimate),
        interval=percent_range(arm.mean.low, arm.mean.high),
        spread=percent_range(min(runs), max(runs)) if arm.runs > 1 else NOTHING,
        cut_off=counted.cut_off_percent,
    )


def _rate_row(result: CellResult, name: str, others: Sequence[str], counted: Answers) -> RateRow:
    rate = result.rates[name]
    return RateRow(
        weights=str(result.cell.weights),
        generation_seed=result.cell.generation_seed,
        rate=percent(rate.estimate),
        interval=percent_range(rate.low, rate.high),
        others=tuple(percent(result.rates[other].estimate) for other in others),
        cut_off=counted.cut_off_percent,
    )


@dataclass(frozen=True, slots=True)
class Beside:
    """Every run's rates side by side."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[str, ...]], ...]
    """Weights, generation seed, and one rate a column."""


def beside(results: Results) -> Beside:
    """Return safety and capability of each run in one row."""
    measures = results.measures()
    rates = {
        (result.cell.weights, result.cell.generation_seed, measure): percent(result.rates[measure.rate].estimate)
        for measure in measures
        for result in results.cells(measure)
    }
    runs = sorted({run[:2] for run in rates}, key=lambda run: (results.weights_order(run[0]), run[1]))
    return Beside(
        columns=tuple(measure.heading for measure in measures),
        rows=tuple(
            (str(weights), seed, tuple(rates.get((weights, seed, measure), NOTHING) for measure in measures))
            for weights, seed in runs
        ),
    )
