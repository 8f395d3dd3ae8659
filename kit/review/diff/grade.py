"""The grade of a comparison, and the one sentence that says why (docs/diff.md)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from kit.review.diff.evidence import Compared, Influence
from kit.stats.multiplicity import LEVEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.review.diff.evidence import Evidence, PooledRate

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
    others = [rerun for rerun in evidence.reruns if not rerun.same_seeds]
    runs = sum(len(rerun.rates) for rerun in others)
    within = sum(rerun.within for rerun in others)
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
    grade, reason = _by_rates(evidence)
    return grade, f"{len(evidence.flips)} verdicts differ; {reason}"


def _by_rates(evidence: Evidence) -> tuple[Grade, str]:
    margin = f"{100 * evidence.margin:g} points"
    # A rate that is the same on every prompt needs no proof: alone, it would have been graded `verdicts`.
    outside = [rate for rate in evidence.pooled if rate.discordant and not rate.is_within(evidence.margin)]
    if not outside:
        return Grade.EQUIVALENT, f"every rate is shown to be the same within {margin}"
    moved = [rate for rate in outside if rate.p_adjusted is not None and rate.p_adjusted <= LEVEL]
    if beyond := [rate for rate in moved if rate.is_beyond(evidence.margin)]:
        widest = max(beyond, key=_size)
        return Grade.DIFFERENT, f"{_described(widest)}, more than {margin}, p = {widest.p_adjusted:.2g} (Holm)"
    if moved:
        return Grade.INCONCLUSIVE, f"{_described(max(moved, key=_size))}: it differs, perhaps within {margin}"
    return Grade.INCONCLUSIVE, f"{_described(max(outside, key=_reach))}: neither different nor within {margin}"


def _unknown(unknown: int, changed: int, total: int) -> str:
    others = f"{changed} of {total} completions have other tokens, and " if changed else ""
    which = "the others" if changed else f"{unknown} of {total} completions"
    what = "are the same cannot be told: their texts are withheld, which the redaction key (--key) compares"
    return f"{others}whether {which} {what}"


def _by_commitment(evidence: Evidence) -> str:
    committed = sum(text.n for text in evidence.texts if text.compared is Compared.COMMITMENTS)
    return f", {committed} of them by their commitments" if committed else ""


def _size(rate: PooledRate) -> float:
    return abs(rate.b - rate.a)


def _reach(rate: PooledRate) -> float:
    return max(-rate.difference_90.low, rate.difference_90.high)


def _described(rate: PooledRate) -> str:
    low, high = points(rate.difference_90.low), points(rate.difference_90.high)
    runs = f" over {rate.runs} runs" if rate.runs > 1 else ""
    moves = f"moves by {points(rate.b - rate.a)} points{runs} (90 % interval {low} to {high})"
    return f"{rate.rate} of {rate.arm} on {rate.evaluation} by {rate.judge} {moves}"
