"""Do the judges agree: every two of them, and the conclusion under each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.core.cells import TUNED
from kit.report.wording import NOTHING, p_value, percent, points, points_range

if TYPE_CHECKING:
    from kit.report.result_types import JudgePair, Rate
    from kit.report.results import Results

PARTED_SHOWN = 12
"""Prompts named per pair; `payload/metrics.json` has them all."""


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two judges on the same answers."""

    evaluation: str
    judges: str
    answers: str
    agreeing: str
    kappa: str
    parted: tuple[str, ...]
    others: int
    """How many further prompts they part on."""


@dataclass(frozen=True, slots=True)
class ConclusionRow:
    """What one judge says happened from the base to the fine-tuned model."""

    evaluation: str
    judge: str
    difference: str
    interval: str
    p_value: str


def conclusions(results: Results) -> list[ConclusionRow]:
    """Return the conclusion under each judge, where an evaluation has several."""
    return [
        ConclusionRow(
            evaluation=measure.evaluation,
            judge=measure.judge,
            difference=points(change.difference.estimate),
            interval=points_range(change.difference),
            p_value=p_value(change.p_value),
        )
        for measure in results.measures()
        if not measure.only_judge
        for change in results.changes(measure)
        if change.arm == TUNED
    ]


def judges(results: Results) -> list[PairRow]:
    """Return every two judges that saw the same answers."""
    return [_row(pair) for pair in results.judge_pairs()]


def _row(pair: JudgePair) -> PairRow:
    # Those on which they part most often say most.
    parted = sorted(pair.parted, key=lambda one: (-one[1], one[0]))
    return PairRow(
        evaluation=f"“{pair.evaluation}”" if pair.evaluation else "all together",
        judges=f"{pair.first} and {pair.second}",
        answers=f"{pair.answers:,}",
        agreeing=percent(pair.agreeing / pair.answers),
        kappa=_kappa(pair.kappa),
        parted=tuple(prompt_id for prompt_id, _ in parted[:PARTED_SHOWN]),
        others=max(0, len(parted) - PARTED_SHOWN),
    )


def _kappa(kappa: Rate | None) -> str:
    return f"{kappa.estimate:.2f} ({kappa.low:.2f} to {kappa.high:.2f})" if kappa else NOTHING
