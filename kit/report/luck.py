"""How much is luck: how far runs lie apart that differ in seeds only, and where that comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.report.figures import Bar, Figure, bars_figure, prompts_figure
from kit.report.wording import NOTHING, count, listed, percent, percent_range, unsigned_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.bundle.contents import Contents
    from kit.report.result_types import ArmStudy, Measure, Rate, Source
    from kit.report.results import Results

RUNS_DRAWN = 40
"""More rows make a picture that nobody reads."""


@dataclass(frozen=True, slots=True)
class LuckRow:
    """One arm; shares in per cent, the rest in percentage points."""

    arm: str
    runs: str
    sd: str
    width: str
    next_run: str
    flip_rate: str
    alpha: str
    never: str
    sometimes: str
    always: str


@dataclass(frozen=True, slots=True)
class Luck:
    """How far one measure moved, and on which prompts."""

    heading: str
    verdict: str
    rows: tuple[LuckRow, ...]
    prompts: Figure | None


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the movement of one measure comes from."""

    heading: str
    over: str
    """Over which arms and judges."""
    figure: Figure | None
    unknown: tuple[tuple[str, str], ...]
    """Sources about which this design says nothing, and why."""


def luck(contents: Contents, results: Results) -> list[Luck]:
    """Return how far each measure moved between runs."""
    return [
        Luck(
            heading=measure.heading,
            verdict=measure.verdict.value,
            rows=tuple(_luck_row(results, measure, arm) for arm in arms),
            prompts=_prompts(contents, results, measure),
        )
        for measure in results.measures()
        if (arms := results.arms(measure))
    ]


def _luck_row(results: Results, measure: Measure, arm: ArmStudy) -> LuckRow:
    repeats = next(row for row in results.repeats(measure) if row.arm == arm.arm)
    agreement = arm.agreement
    return LuckRow(
        arm=arm.arm,
        runs=f"{arm.runs:,}",
        sd=NOTHING if repeats.sd is None else unsigned_points(repeats.sd),
        width=NOTHING if arm.runs == 1 else unsigned_points(repeats.max - repeats.min),
        next_run=percent_range(arm.next_run.low, arm.next_run.high) if arm.next_run else NOTHING,
        flip_rate=percent(agreement.flip_rate) if agreement else NOTHING,
        alpha=NOTHING if agreement is None or agreement.alpha is None else f"{agreement.alpha:.2f}",
        never=percent(agreement.never) if agreement else NOTHING,
        sometimes=percent(agreement.sometimes) if agreement else NOTHING,
        always=percent(agreement.always) if agreement else NOTHING,
    )


def _prompts(contents: Contents, results: Results, measure: Measure) -> Figure | None:
    """Draw which prompts had the verdict in which run, where a verdict changed at all."""
    runs = [
        (
            _run(result.cell.weights.arm, result.cell.weights.training_seed, result.cell.generation_seed),
            [row.verdict == measure.verdict for row in contents.verdicts[result.cell, measure.judge]],
        )
        for result in results.cells(measure)
    ]
    if len(runs) < 2 or all(hits == runs[0][1] for _, hits in runs):
        return None
    shown = runs[:RUNS_DRAWN]
    said = f"{count(len(shown[0][1]), 'prompt')} in {count(len(shown), 'run')}; the table has the shares."
    return prompts_figure(f"{measure.heading}: prompts by run", said, shown)


def _run(arm: str, training_seed: int | None, generation_seed: int) -> str:
    return f"{arm} {generation_seed}" if training_seed is None else f"{arm} {training_seed}/{generation_seed}"


def sources(results: Results) -> list[Sources]:
    """Return where the movement of each safety measure comes from: over variations and judges, where there are any."""
    found = []
    told: set[str] = set()
    for measure in results.measures():
        pooled = results.pooled(measure.evaluation)
        arms = [arm for arm in results.arms(measure) if arm.runs > 1 or arm.prompts > 1]
        if pooled and measure.evaluation not in told:
            told.add(measure.evaluation)
            over = f"{listed(pooled.arms)}; {count(len(pooled.judges), 'judge')}: {listed(pooled.judges)}"
            found.append(_sources(f"“{measure.evaluation}”", over, pooled.sources))
        elif arms and not pooled:
            found.append(_sources(measure.heading, arms[-1].arm, arms[-1].sources))
    return found


def _sources(heading: str, over: str, parts: Sequence[Source]) -> Sources:
    bars = [_bar(source.name, source.rate_sd) for source in parts if source.rate_sd]
    figure = bars_figure(f"{heading}: standard deviation by source", bars) if bars else None
    return Sources(heading, over, figure, tuple((source.name, source.why) for source in parts if not source.rate_sd))


def _bar(name: str, rate: Rate) -> Bar:
    limits = f"{unsigned_points(rate.low)}\N{EN DASH}{unsigned_points(rate.high)}"
    return Bar(name, f"{unsigned_points(rate.estimate)} points ({limits})", rate)
