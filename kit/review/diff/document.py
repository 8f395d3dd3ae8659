"""A comparison as one JSON object, complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.review.diff.shown import in_nats

if TYPE_CHECKING:
    from kit.core.canonical import Json
    from kit.review.diff.compare import Comparison
    from kit.review.diff.evidence import (
        CellTexts,
        Change,
        Divergence,
        Flip,
        Parting,
        PooledRate,
        PromptChange,
        RateComparison,
        Rerun,
    )

VERSION = 2


def to_json(comparison: Comparison) -> dict[str, Json]:
    """Return the object that `kit diff --json` prints; docs/diff.md lists its fields."""
    evidence = comparison.evidence
    return {
        "version": VERSION,
        "grade": comparison.grade.value,
        "reason": comparison.reason,
        "margin": evidence.margin,
        "results_digests": {"a": evidence.results_digests[0], "b": evidence.results_digests[1]},
        "changes": [_change(change) for change in evidence.changes],
        "notes": [*evidence.notes],
        "prompts": [_prompt_change(change) for change in evidence.prompts],
        "training": [_parting(parting) for parting in evidence.training],
        "texts": [_texts(texts) for texts in evidence.texts],
        "flips": [_flip(flip) for flip in evidence.flips],
        "pooled": [_pooled(rate, evidence.margin) for rate in evidence.pooled],
        "rates": [_rate(rate) for rate in evidence.rates],
        "reruns": [_rerun(rerun) for rerun in evidence.reruns],
        "only_a": [str(cell) for cell in evidence.only_a],
        "only_b": [str(cell) for cell in evidence.only_b],
    }


def _change(change: Change) -> dict[str, Json]:
    return {
        "place": change.place,
        "path": change.path,
        "a": change.a,
        "b": change.b,
        "influence": change.influence.value,
        "explains": change.explains,
    }


def _prompt_change(change: PromptChange) -> dict[str, Json]:
    return {
        "evaluation": change.evaluation,
        "only_a": list(change.only_a),
        "only_b": list(change.only_b),
        "altered": list(change.altered),
    }


def _parting(parting: Parting) -> dict[str, Json]:
    return {
        "weights": str(parting.weights),
        "stage": parting.stage,
        "index": parting.index,
        "a": parting.a,
        "b": parting.b,
    }


def _texts(texts: CellTexts) -> dict[str, Json]:
    divergences: dict[str, Json] = {key: _divergence(value) for key, value in texts.divergences.items()}
    return {
        "cell": str(texts.cell),
        "n": texts.n,
        "compared": texts.compared.value,
        "cut_off": dict(zip("ab", texts.cut_off, strict=True)) if texts.cut_off else None,
        "divergences": divergences,
    }


def _divergence(divergence: Divergence | None) -> Json:
    if divergence is None:
        return None
    margins = dict(zip("ab", map(in_nats, divergence.margins), strict=True))
    return {"index": divergence.position, "a": divergence.a, "b": divergence.b, "margins": {**margins}}


def _flip(flip: Flip) -> dict[str, Json]:
    return {
        "cell": str(flip.cell),
        "judge": flip.judge,
        "prompt_id": flip.prompt_id,
        "category": flip.category,
        "a": flip.a.value,
        "b": flip.b.value,
        "divergence": _divergence(flip.divergence),
    }


def _rerun(rerun: Rerun) -> dict[str, Json]:
    return {
        "arm": rerun.arm,
        "evaluation": rerun.evaluation,
        "judge": rerun.judge,
        "reference": rerun.reference,
        "other": rerun.other,
        "runs": rerun.runs,
        "expected": rerun.expected.to_json(),
        "rates": list(rerun.rates),
        "within": rerun.within,
        "same_seeds": rerun.same_seeds,
    }


def _rate(rate: RateComparison) -> dict[str, Json]:
    counts = rate.counts
    return {
        "cell": str(rate.cell),
        "judge": rate.judge,
        "rate": rate.rate,
        "n": counts.n,
        "both": counts.both,
        "only_a": counts.only_first,
        "only_b": counts.only_second,
        "neither": counts.neither,
        "a": rate.a.to_json(),
        "b": rate.b.to_json(),
        "difference": rate.difference.to_json(),
        "p_value": rate.p_value,
    }


def _pooled(rate: PooledRate, margin: float) -> dict[str, Json]:
    return {
        "arm": rate.arm,
        "evaluation": rate.evaluation,
        "judge": rate.judge,
        "rate": rate.rate,
        "prompts": rate.prompts,
        "runs": rate.runs,
        "discordant": rate.discordant,
        "a": rate.a,
        "b": rate.b,
        "difference": rate.difference.to_json(),
        "difference_90": rate.difference_90.to_json(),
        "p_value": rate.p_value,
        "p_adjusted": rate.p_adjusted,
        "within_margin": rate.is_within(margin),
        "beyond_margin": rate.is_beyond(margin),
    }
