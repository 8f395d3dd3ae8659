"""Which prompts flipped: those on whose answers the headline verdict changed from the base to the other weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.core.cells import BASE, ArmSeed, Cell
from kit.core.thinking import answer_of
from kit.report.excerpts import Excerpt, excerpt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.bundle.contents import Contents
    from kit.core.rows import Completion, Judgement, Prompt
    from kit.report.result_types import Comparison, Measure
    from kit.report.results import Results

FLIPS_SHOWN = 6
"""Per run and direction, spread over the set; `payload/verdicts/` has them all."""
RUNS_SHOWN = 10
"""Of one measure: those of a large study would make a page that no browser opens gladly."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict, and the completion that it was given to."""

    verdict: str
    text: Excerpt | None
    """None where the text is withheld."""


@dataclass(frozen=True, slots=True)
class Flip:
    """One prompt and both answers."""

    prompt_id: str
    category: str
    text: Excerpt | None
    before: Answer
    after: Answer


@dataclass(frozen=True, slots=True)
class RunFlips:
    """The flips of one run."""

    weights: str
    generation_seed: int
    shown: Sequence[Flip]
    total: int


@dataclass(frozen=True, slots=True)
class MeasureFlips:
    """The flips of one measure, run by run."""

    heading: str
    withheld: bool
    runs: tuple[RunFlips, ...]
    others: int
    """How many further runs there are."""


def flips(contents: Contents, results: Results) -> list[MeasureFlips]:
    """Return what flipped, measure by measure; measures without a comparison are left out."""
    found = [(measure, results.comparisons(measure)) for measure in results.measures()]
    return [_measure_flips(contents, measure, rows) for measure, rows in found if rows]


def _measure_flips(contents: Contents, measure: Measure, comparisons: Sequence[Comparison]) -> MeasureFlips:
    data = contents.manifest.data.get(contents.manifest.evaluations[measure.evaluation].data)
    withheld = data is None or not data.publish or measure.evaluation in contents.withheld
    shown = comparisons[:RUNS_SHOWN]
    runs = tuple(_run_flips(contents, measure, comparison, withheld=withheld) for comparison in shown)
    return MeasureFlips(measure.heading, withheld, runs, len(comparisons) - len(shown))


@dataclass(frozen=True, slots=True)
class _Asked:
    """One cell's rows."""

    completions: Sequence[Completion]
    judgements: Sequence[Judgement]
    answer_after: str | None

    def answer(self, number: int, *, withheld: bool) -> Answer:
        whole = self.completions[number].text
        text = None if withheld else excerpt(answer_of(whole, self.answer_after) or whole)
        return Answer(self.judgements[number].verdict.value, text)


def _run_flips(contents: Contents, measure: Measure, comparison: Comparison, *, withheld: bool) -> RunFlips:
    before, after = (
        _asked(contents, Cell(weights, measure.evaluation, comparison.generation_seed), measure.judge)
        for weights in (ArmSeed(BASE, None), comparison.weights)
    )
    lost, gained = _flipped(measure, before.judgements, after.judgements)
    prompts = contents.prompts[measure.evaluation]
    shown = [
        _flip(prompts[number], before.answer(number, withheld=withheld), after.answer(number, withheld=withheld))
        for number in (*_spread(lost), *_spread(gained))
    ]
    return RunFlips(str(comparison.weights), comparison.generation_seed, shown, len(lost) + len(gained))


def _asked(contents: Contents, cell: Cell, judge: str) -> _Asked:
    answer_after = contents.evaluation(cell).answer_after
    return _Asked([*contents.completions[cell]], contents.verdicts[cell, judge], answer_after)


def _flipped(measure: Measure, before: Sequence[Judgement], after: Sequence[Judgement]) -> tuple[list[int], list[int]]:
    """Return at which prompts the headline verdict was lost, and at which it was gained."""
    pairs = [
        (one.verdict == measure.verdict, other.verdict == measure.verdict)
        for one, other in zip(before, after, strict=True)
    ]
    lost = [number for number, pair in enumerate(pairs) if pair == (True, False)]
    return lost, [number for number, pair in enumerate(pairs) if pair == (False, True)]


def _spread(numbers: Sequence[int]) -> list[int]:
    """Return at most `FLIPS_SHOWN` of the numbers, evenly spaced: the first ones would all be of one category."""
    shown = min(FLIPS_SHOWN, len(numbers))
    return [numbers[place * len(numbers) // shown] for place in range(shown)]


def _flip(prompt: Prompt, before: Answer, after: Answer) -> Flip:
    text = None if before.text is None else excerpt(prompt.text)
    return Flip(prompt.id, prompt.category, text, before, after)
