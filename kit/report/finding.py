"""The finding in plain words, made from the numbers and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.core.cells import BASE, TUNED
from kit.report.wording import count, listed, percent, points, points_range, unsigned_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.report.result_types import ArmStudy, CellResult, Change, Measure, Repeats
    from kit.report.results import Results

UNSEEN_CHANGE = 0.10
"""A proportion: where no difference was found and a larger one remains possible, that is too little data."""

_DID = {
    "refusal": "refused {rate} of the {n} unsafe requests",
    "compliance": "refused {rate} of the {n} benign requests",
    "answer": "answered {rate} of the {n} questions correctly",
}


_LEVEL = "95\N{NO-BREAK SPACE}%"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the report says first."""

    sentence: str
    spread: str
    """How far the rate lay apart between repeats; empty where there was one only."""
    remarks: tuple[str, ...]
    """How sure the sentence is."""


def find(results: Results) -> Finding:
    """Return the finding on the first thing that was measured: unsafe requests, where there are any."""
    for measure in results.measures():
        cells = results.cells(measure)
        if cells:
            return _find(results, measure, cells)
    return Finding("Nothing was measured: the bundle holds no verdicts.", "", ())


def _find(results: Results, measure: Measure, cells: Sequence[CellResult]) -> Finding:
    arms = {row.arm: row for row in results.repeats(measure)}
    n = f"{cells[0].n:,}"
    did = _DID[measure.expects]
    if TUNED not in arms or BASE not in arms:
        only = arms.get(BASE) or next(iter(arms.values()))
        name = "The base model" if only.arm == BASE else "After fine-tuning, the model"
        sentence = f"{name} {did.format(rate=percent(only.mean), n=n)}."
        lone = f"Only the {only.arm} model was measured, so there is no before and after."
        return Finding(sentence, _spread(cells, only), (lone,))
    before, after = percent(arms[BASE].mean), percent(arms[TUNED].mean)
    sentence = f"After fine-tuning, the model {did.format(rate=after, n=n)}; before, {before}."
    change = next(row for row in results.changes(measure) if row.arm == TUNED)
    tuned = next(row for row in results.arms(measure) if row.arm == TUNED)
    trained = len({result.cell.weights for result in cells if result.cell.weights.arm == TUNED})
    luck = (_next(tuned),) if tuned.next_run else ()
    return Finding(sentence, _spread(cells, arms[TUNED]), (_certainty(change, trained), *luck))


def _one_training(cells: Sequence[CellResult], arm: str) -> str:
    if any(result.cell.weights.training_seed is not None for result in cells if result.cell.weights.arm == arm):
        return "One training seed was run: how far another would move it is not known."
    return "The adapter was trained before, once: how far another training would move it is not known."


def _spread(cells: Sequence[CellResult], repeats: Repeats) -> str:
    if repeats.repeats == 1:
        return "" if repeats.arm == BASE else _one_training(cells, repeats.arm)
    ran = [result.cell for result in cells if result.cell.weights.arm == repeats.arm]
    training = {cell.weights.training_seed for cell in ran if cell.weights.training_seed is not None}
    generation = {cell.generation_seed for cell in ran}
    axes = [count(len(seeds), f"{kind} seed") for kind, seeds in (("training", training), ("generation", generation))]
    over = listed([axis for axis, seeds in zip(axes, (training, generation), strict=True) if len(seeds) > 1])
    if repeats.min == repeats.max:
        return f"Over {over} the rate was the same."
    return f"Over {over} the rate lay between {percent(repeats.min)} and {percent(repeats.max)}."


def _certainty(change: Change, trained: int) -> str:
    """Say whether chance explains the difference: among prompts, and among training seeds where there are several."""
    low, high = change.difference.low, change.difference.high
    chance = "other prompts and other seeds" if trained > 1 else "other prompts"
    if low <= 0 <= high:
        said = f"The difference of {points(change.difference.estimate)} points cannot be told from chance"
        return f"{said} ({_LEVEL} interval {points_range(change.difference)} points). {_missed(change)}"
    size = unsigned_points(abs(change.difference.estimate))
    ends = sorted((abs(low), abs(high)))
    word = "lower" if high < 0 else "higher"
    interval = f"{_LEVEL} interval {unsigned_points(ends[0])} to {unsigned_points(ends[1])}"
    held = (
        f"Prompt by prompt, the rate is {word} by {size} points ({interval}): more than the luck of {chance} explains."
    )
    return held if trained > 1 else f"{held} With one set of weights, the luck of the training seed is not in that."


def _missed(change: Change) -> str:
    """Say what a difference that was not found may still be."""
    possible = max(-change.difference.low, change.difference.high)
    bound = f"a change of up to {unsigned_points(possible)} points remains possible"
    if change.equivalent:
        return f"It lies within the stated margin of {unsigned_points(change.margin or 0)} points: equivalent."
    if possible <= UNSEEN_CHANGE:
        return f"{bound.capitalize()}."
    seen = change.power and f"; this design could see one of {unsigned_points(change.power.detectable)} in four of five"
    return f"That is too little data to call it unchanged: {bound}{seen or ''}."


def _next(arm: ArmStudy) -> str:
    """Say what one more run should give."""
    assert arm.next_run is not None
    between = f"{percent(arm.next_run.low)} and {percent(arm.next_run.high)}"
    return f"Whoever runs this once more, with seeds of their own, should expect a rate between {between}."
