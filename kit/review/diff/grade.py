"""The grade of a comparison, and the one sentence that says why (docs/diff.md)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from kit.review.diff.evidence import Compared, Influence
from kit.stats.multiplicity import LEVEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.review.diff.evidence import Evidence, RateComparison

NAMED = 3
"""How many things one sentence names before it counts the rest."""


class Grade(StrEnum):
    """How far two bundles agree, strongest first."""

    BITWISE = "bitwise"
    TOKENS = "tokens"
    VERDICTS = "verdicts"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"
    DIFFERENT = "different"
    INCOMPARABLE = "incomparable"

    def is_at_least(self, wanted: Grade) -> bool:
        """Tell whether this grade is as strong as another, or stronger."""
        order = list(Grade)
        return order.index(self) <= order.index(wanted)


def decide(evidence: Evidence) -> tuple[Grade, str]:
    """Return the grade and why."""
    others = _other_experiments(evidence)
    if evidence.results_digests[0] == evidence.results_digests[1]:
        although = f", although the experiments are not: {named(others)}" if others else ""
        return Grade.BITWISE, f"the results are the same bytes{although}"
    if not evidence.texts:
        return Grade.INCOMPARABLE, "the two have no cell in common"
    if others:
        return Grade.INCOMPARABLE, f"not the same experiment: {named(others)}"
    grade, reason = _by_results(evidence)
    uncompared = _uncompared(evidence)
    if uncompared and grade.is_at_least(Grade.INCONCLUSIVE):
        lacking = f"no cell in common for {named(uncompared)}{_rerun(evidence)}"
        return Grade.INCONCLUSIVE, f"{lacking}; as to the others, {reason}"
    return grade, reason


def named(things: Sequence[str]) -> str:
    """List a few things and count the rest."""
    rest = len(things) - NAMED
    return ", ".join(things[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def points(difference: float) -> str:
    """Format a difference of proportions in percentage points."""
    return f"{100 * difference:+.1f}"


def _other_experiments(evidence: Evidence) -> list[str]:
    paths = [change.path for change in evidence.changes if change.influence is Influence.EXPERIMENT]
    return [*paths, *(f"the prompts of {change.evaluation}" for change in evidence.prompts)]


def _uncompared(evidence: Evidence) -> list[str]:
    """Name each arm on an evaluation that one side or both have, and of which no cell is in common.

    Agreement of the base alone would otherwise pass for agreement.
    """
    common = {(text.cell.weights.arm, text.cell.evaluation) for text in evidence.texts}
    single = {(cell.weights.arm, cell.evaluation) for cell in (*evidence.only_a, *evidence.only_b)}
    return [f"{arm} on {evaluation}" for arm, evaluation in sorted(single - common)]


def _rerun(evidence: Evidence) -> str:
    """Say whether runs with other seeds lie where those of the other side expect them."""
    runs = sum(len(rerun.rates) for rerun in evidence.reruns)
    within = sum(rerun.within for rerun in evidence.reruns)
    return f", whose rates lie where a further run is expected in {within} of {runs} cases" if runs else ""


def _by_results(evidence: Evidence) -> tuple[Grade, str]:
    total = sum(text.n for text in evidence.texts)
    changed = sum(len(text.divergences) for text in evidence.texts)
    if not evidence.flips:
        if unknown := sum(text.unknown for text in evidence.texts):
            return Grade.VERDICTS, f"no verdict differs; {_unknown(unknown, changed, total)}"
        if not changed:
            return Grade.TOKENS, f"all {total} completions in common have the same tokens{_by_commitment(evidence)}"
        return Grade.VERDICTS, f"{changed} of {total} completions have other tokens, and no verdict differs"
    start = f"{len(evidence.flips)} verdicts differ"
    # A rate that is the same on every prompt needs no proof: alone, it would have been graded `verdicts`.
    outside = [rate for rate in evidence.rates if rate.counts.discordant and not rate.is_within(evidence.margin)]
    if not outside:
        return Grade.EQUIVALENT, f"{start}; every rate is shown to be the same within {100 * evidence.margin:g} points"
    if different := [rate for rate in outside if rate.p_adjusted <= LEVEL]:
        widest = max(different, key=_size)
        return Grade.DIFFERENT, f"{start}; {_described(widest)}, p = {widest.p_adjusted:.2g} after Holm"
    limit = f"neither different nor within {100 * evidence.margin:g} points"
    return Grade.INCONCLUSIVE, f"{start}; {_described(max(outside, key=_reach))}: {limit}"


def _unknown(unknown: int, changed: int, total: int) -> str:
    others = f"{changed} of {total} completions have other tokens, and " if changed else ""
    which = "the others" if changed else f"{unknown} of {total} completions"
    what = "are the same cannot be told: their texts are withheld, which the redaction key (--key) compares"
    return f"{others}whether {which} {what}"


def _by_commitment(evidence: Evidence) -> str:
    committed = sum(text.n for text in evidence.texts if text.compared is Compared.COMMITMENTS)
    return f", {committed} of them by their commitments" if committed else ""


def _size(rate: RateComparison) -> int:
    return abs(rate.counts.second - rate.counts.first)


def _reach(rate: RateComparison) -> float:
    return max(-rate.difference_90.low, rate.difference_90.high)


def _described(rate: RateComparison) -> str:
    change = points((rate.counts.second - rate.counts.first) / rate.counts.n)
    low, high = points(rate.difference_90.low), points(rate.difference_90.high)
    return f"{rate.rate} of {rate.cell} by {rate.judge} moves by {change} points (90 % interval {low} to {high})"
