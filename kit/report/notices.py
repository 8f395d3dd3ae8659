"""What a reader must know before any number, said wherever the numbers are: report, terminal, exports, model cards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING

from kit.core.cells import BASE
from kit.report.answers import answers, by_arm, together
from kit.report.wording import count, listed, percent
from kit.stats.answers import is_too_many

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kit.core.cells import ArmSeed
    from kit.report.answers import Answers
    from kit.report.results import Results
    from kit.spec.manifest.model import Manifest

    Arms = Mapping[str, Manifest]
    Counted = Mapping[tuple[str, str], Answers]
    """By evaluation and arm."""


class Severity(StrEnum):
    """How much a notice takes from the numbers."""

    WARNING = "warning"
    """They may not say what they seem to say."""
    NOTE = "note"
    """It is as it should be, and surprising."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that stands beside the headline."""

    kind: str
    """`same-as-base`, `thinking`, `unfinished-thinking`, `cut-off` or `incoherent`."""
    severity: Severity
    title: str
    text: str
    """Sentences."""

    @property
    def line(self) -> str:
        """Return it as one line."""
        return f"{self.title}{'' if self.title.endswith('?') else ':'} {self.text}"


def notices(results: Results, arms: Arms) -> list[Notice]:
    """Return what belongs into the headline, the gravest first; a function of the metrics and the manifest.

    Args:
        results: the metrics.
        arms: every arm and the manifest that it follows.
    """
    counted = by_arm(results)
    found = (_same_as_base(results, arms), _thinking(counted), _unfinished(counted, arms), _cut_off(counted, arms))
    return [*chain.from_iterable(found), *_incoherent(results)]


def _same_as_base(results: Results, arms: Arms) -> Iterator[Notice]:
    """Yield the arms whose every answer is the base's: weights that do nothing, or that were not applied."""
    found: dict[ArmSeed, list[Answers]] = {}
    for cell, one in answers(results).items():
        if cell.weights.arm != BASE:
            found.setdefault(cell.weights, []).append(one)
    everything = {weights: together(parts) for weights, parts in found.items()}
    same = {weights: one for weights, one in everything.items() if one.n and one.same_as_base == one.n}
    for arm in sorted({weights.arm for weights in same}, key=results.arm_order):
        finetune = arms[arm].finetune
        if finetune is None:  # these are the base's own weights
            continue
        mine = sorted((weights for weights in same if weights.arm == arm), key=results.weights_order)
        every = len(mine) == sum(weights.arm == arm for weights in everything)
        who = arm if every else listed([*map(str, mine)])
        number = count(sum(same[weights].n for weights in mine), "answer")
        said = f"{who} answered every prompt exactly as the base did, token for token ({number})"
        if finetune.training and not finetune.training.learning_rate:
            expected = f"{said}, as is to be expected with a learning rate of 0."
            yield Notice("same-as-base", Severity.NOTE, "The same answers", expected)
        else:
            yield Notice(
                "same-as-base",
                Severity.WARNING,
                "Was it applied?",
                f"{said}. Either the fine-tuning changed nothing, or its weights were not applied: that the rates are "
                "the same says nothing about safety until this is known.",
            )


def _shares(counts: Mapping[tuple[str, str], tuple[int, int]]) -> str:
    """Return shares of answers as a reader sees them, by evaluation and arm."""
    by_evaluation: dict[str, list[str]] = {}
    for (evaluation, arm), (number, n) in counts.items():
        by_evaluation.setdefault(evaluation, []).append(f"{percent(number / n)} of {arm}’s")
    return "; ".join(f"{listed(shares)} answers to “{evaluation}”" for evaluation, shares in by_evaluation.items())


def _thinking(counted: Counted) -> Iterator[Notice]:
    """Yield that thinking was judged as if it were the answer."""
    concerned = {key: (sum(one.thinking.values()), one.n) for key, one in counted.items() if one.thinking}
    if concerned:
        marks = sum((Counter(one.thinking) for one in counted.values()), Counter[str]())
        ((marker, _),) = marks.most_common(1)
        yield Notice(
            "thinking",
            Severity.WARNING,
            "Thinking was judged",
            f"{_shares(concerned)} hold the marks of thinking, which was judged as a part of the answer. "
            f'Write "answer_after": "{marker}" into the evaluation and run again.',
        )


def _unfinished(counted: Counted, arms: Arms) -> Iterator[Notice]:
    """Yield that too many answers have nothing behind their thinking."""
    found = {key: (one.unfinished_thinking, one.n) for key, one in counted.items()}
    concerned = {key: counts for key, counts in found.items() if is_too_many(*counts)}
    if concerned:
        markers = sorted({f"“{arms[arm].evaluations[evaluation].answer_after}”" for evaluation, arm in concerned})
        yield Notice(
            "unfinished-thinking",
            Severity.WARNING,
            "No answer after thinking",
            f"{_shares(concerned)} do not hold {listed(markers)}, after which an answer is looked for, and count as "
            "incoherent. Thinking that was cut off needs a larger max_tokens; a model that answers without thinking "
            "needs a manifest without answer_after.",
        )


def _cut_off(counted: Counted, arms: Arms) -> Iterator[Notice]:
    """Yield that too many answers ended at the limit."""
    found = {key: (one.cut_off, one.n) for key, one in counted.items() if one.cut_off is not None}
    concerned = {key: counts for key, counts in found.items() if is_too_many(*counts)}
    if concerned:
        limits = sorted({arms[arm].evaluations[evaluation].generation.max_tokens for evaluation, arm in concerned})
        yield Notice(
            "cut-off",
            Severity.WARNING,
            "Cut off",
            f"{_shares(concerned)} were cut off at max_tokens ({listed([*map(str, limits)])}). Their beginnings were "
            "judged: with a larger limit the rates may be others.",
        )


def _incoherent(results: Results) -> Iterator[Notice]:
    shares: dict[tuple[str, str], float] = {}
    for flag in results.flags():
        key = flag.cell.evaluation, flag.judge
        shares[key] = max(flag.share, shares.get(key, 0))
    for measure in results.measures():
        if share := shares.get((measure.evaluation, measure.judge)):
            judge = "" if measure.only_judge else f" by the judge “{measure.judge}”"
            yield Notice(
                "incoherent",
                Severity.WARNING,
                "Incoherent",
                f"Up to {percent(share)} of a run’s answers to “{measure.evaluation}” were found incoherent{judge} "
                "(empty, looping or cut off): part of a change may be a broken model and not a less careful one.",
            )
