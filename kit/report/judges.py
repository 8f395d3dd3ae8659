"""Do the judges agree: every two of them, and the conclusion under each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.report.wording import NOTHING, percent

if TYPE_CHECKING:
    from kit.report.results import JudgePair, Rate, Results

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


def judges(results: Results) -> list[PairRow]:
    """Return every two judges that saw the same answers."""
    return [_row(pair) for pair in results.judge_pairs()]


def _row(pair: JudgePair) -> PairRow:
    # Those on which they part most often say most.
    parted = sorted(pair.parted, key=lambda one: (-one[1], one[0]))
    return PairRow(
        evaluation=pair.evaluation,
        judges=f"{pair.first} and {pair.second}",
        answers=f"{pair.answers:,}",
        agreeing=percent(pair.agreeing / pair.answers),
        kappa=_kappa(pair.kappa),
        parted=tuple(prompt_id for prompt_id, _ in parted[:PARTED_SHOWN]),
        others=max(0, len(parted) - PARTED_SHOWN),
    )


def _kappa(kappa: Rate | None) -> str:
    return f"{kappa.estimate:.2f} ({kappa.low:.2f} to {kappa.high:.2f})" if kappa else NOTHING
