"""A comparison as plain text for a terminal of 100 columns, most important first."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING

from kit.core.escaping import on_one_line
from kit.review.diff.grade import points
from kit.review.diff.shown import in_nats, shortened, value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kit.core.canonical import Json
    from kit.core.cells import Cell
    from kit.review.diff.compare import Comparison
    from kit.review.diff.evidence import (
        CellTexts,
        Change,
        Divergence,
        Evidence,
        Flip,
        Parting,
        PooledRate,
        RateComparison,
        Rerun,
    )

WIDTH = 100
PARTINGS_SHOWN = 3
"""Of the completions of a cell in which no verdict differs."""

STAGES = {
    "step0_weights": "the trainable weights before the first step",
    "template": "the chat template",
    "order": "the order of the data",
    "losses": "the loss",
    "weights": "the trained weights",
}


def render(comparison: Comparison, *, limit: int = 10) -> str:
    """Return the text, without a last newline; of changes, and of a judge's flips in a cell, `limit` are shown."""
    evidence = comparison.evidence
    blocks = [
        textwrap.wrap(on_one_line(f"{comparison.grade.value}: {comparison.reason}"), WIDTH),
        list(_prompts(evidence)),
        list(_changes(evidence.changes, limit)),
        [line for note in evidence.notes for line in textwrap.wrap(on_one_line(note), WIDTH)],
        list(_training(evidence.training)),
        list(_pooled(evidence, limit)),
        list(_cells(evidence, limit)),
        list(_reruns(evidence.reruns, limit)),
        list(_one_sided(evidence)),
        [f"results digest of {side}: {one}" for side, one in zip("ab", evidence.results_digests, strict=True)],
    ]
    # Every line passes through here, so that no text of a stranger reaches the terminal as it is.
    return "\n\n".join("\n".join(shortened(line, WIDTH) for line in block) for block in blocks if block)


def _prompts(evidence: Evidence) -> Iterator[str]:
    for change in evidence.prompts:
        counts = f"{len(change.only_a)} only in a, {len(change.only_b)} only in b, {len(change.altered)} altered"
        yield f"prompts of {change.evaluation}: {counts}"


def _changes(changes: Sequence[Change], limit: int) -> Iterator[str]:
    if changes:
        yield "what differs beside the results, the likeliest cause first (a → b)"
    for change in changes[:limit]:
        yield f"  {change.influence.value:<10}  {change.place} {shortened(change.path, 60)}"
        yield f"  {'':<10}  {value(change.a, 26)} → {value(change.b, 26)}  ({change.explains})"
    yield from _rest(len(changes) - limit, "  ")


def _training(partings: Iterable[Parting]) -> Iterator[str]:
    for parting in partings:
        stage = STAGES.get(parting.stage, parting.stage)
        where = "" if parting.index is None else f", entry {parting.index}"
        a, b = reduced(parting.a, parting.b)
        yield f"training of {parting.weights} parted at {stage}{where}"
        yield f"  {value(a, 44)} → {value(b, 44)}"


def reduced(a: Json, b: Json) -> tuple[Json, Json]:
    """Leave of two objects what differs."""
    if not isinstance(a, dict) or not isinstance(b, dict):
        return a, b
    differing = [key for key in sorted({*a, *b}) if a.get(key) != b.get(key)]
    return {key: a.get(key) for key in differing}, {key: b.get(key) for key in differing}


def _pooled(evidence: Evidence, limit: int) -> Iterator[str]:
    moved = sorted((rate for rate in evidence.pooled if rate.discordant), key=lambda rate: -abs(rate.b - rate.a))
    if moved:
        yield "over all runs in common, clustered by prompt and run (95 % interval)"
    for rate in moved[:limit]:
        low, high = points(rate.difference.low), points(rate.difference.high)
        yield f"  {rate.rate} of {rate.arm} on {rate.evaluation} by {rate.judge}, {rate.runs} runs:"
        sides = f"{100 * rate.a:.1f} → {100 * rate.b:.1f} %, {points(rate.b - rate.a)} points [{low}, {high}]"
        yield f"    {sides}, {standing(rate, evidence.margin)}"
    yield from _rest(len(moved) - limit, "  ")


def standing(rate: PooledRate, margin: float) -> str:
    """Say whether a rate is shown to lie within the margin, or beyond it."""
    if rate.is_within(margin):
        return "within the margin"
    chance = "" if rate.p_adjusted is None else f", p = {rate.p_adjusted:.2g} (Holm)"
    return f"{'beyond the margin' if rate.is_beyond(margin) else 'not shown to be within the margin'}{chance}"


def _cells(evidence: Evidence, limit: int) -> Iterator[str]:
    flips: defaultdict[Cell, list[Flip]] = defaultdict(list)
    rates: defaultdict[Cell, list[RateComparison]] = defaultdict(list)
    for flip in evidence.flips:
        flips[flip.cell].append(flip)
    for rate in evidence.rates:
        rates[rate.cell].append(rate)
    asked_alike = [texts for texts in evidence.texts if texts.n]
    changed = [texts for texts in asked_alike if texts.divergences or texts.cell in flips]
    unknown = [texts for texts in asked_alike if texts.unknown and texts not in changed]
    if asked_alike:
        same = len(asked_alike) - len(changed) - len(unknown)
        yield f"{same} of {len(asked_alike)} cells in common are the same, token for token and verdict for verdict"
    if unknown:
        yield f"{len(unknown)} more have the same verdicts and the same lengths; their texts are withheld"
    for texts in sorted(changed, key=lambda texts: -len(flips[texts.cell])):
        yield _summary(texts, len(flips[texts.cell]))
        yield from _about(texts)
        for judge in sorted({rate.judge for rate in rates[texts.cell]} | {flip.judge for flip in flips[texts.cell]}):
            moved = [rate for rate in rates[texts.cell] if rate.judge == judge and _has_moved(rate)]
            yield from (f"  {_rate(rate)}" for rate in moved)
            flipped = [flip for flip in flips[texts.cell] if flip.judge == judge]
            for flip in flipped[:limit]:
                yield f"    {_flip(flip, texts)}"
                yield from _margins(flip.divergence)
            yield from _rest(len(flipped) - limit, "    ")
        if not flips[texts.cell]:
            yield from _partings(texts)


def _summary(texts: CellTexts, flipped: int) -> str:
    first = min((one.position for one in texts.divergences.values() if one.position is not None), default=None)
    start = "" if first is None else f", the earliest from token {first} on"
    rest = f", {texts.unknown} may (they are withheld)" if texts.unknown else ""
    return f"{texts.cell}: {len(texts.divergences)} of {texts.n} texts differ{start}{rest}; {flipped} verdicts differ"


def _about(texts: CellTexts) -> Iterator[str]:
    if texts.cut_off and any(texts.cut_off):
        yield f"  cut off at max_tokens: {texts.cut_off[0]} → {texts.cut_off[1]} of {texts.n}"
    if (margin := texts.median_lead) is not None:
        yield f"  where they part, the token taken was {margin:.3f} nats from the next likeliest (median)"


def _has_moved(rate: RateComparison) -> bool:
    return rate.counts.discordant > 0


def _rate(rate: RateComparison) -> str:
    low, high = points(rate.difference.low), points(rate.difference.high)
    counts = rate.counts
    sides = f"{100 * counts.first / counts.n:.1f} → {100 * counts.second / counts.n:.1f} %"
    change = points((counts.only_second - counts.only_first) / counts.n)
    return f"{rate.rate} by {rate.judge}: {sides}, {change} points [{low}, {high}], p = {rate.p_value:.2g} (exact)"


def _partings(texts: CellTexts) -> Iterator[str]:
    """Tell of a few completions where they part, since no verdict tells of them."""
    for prompt_id, divergence in islice(texts.divergences.items(), PARTINGS_SHOWN):
        yield f"    {shortened(prompt_id, 24)}  {_where(divergence)}"
        yield from _margins(divergence)
    yield from _rest(len(texts.divergences) - PARTINGS_SHOWN, "    ")


def _where(divergence: Divergence) -> str:
    if divergence.position is None:
        return "other tokens"
    return f"token {divergence.position}: {value(divergence.a, 10)} → {value(divergence.b, 10)}"


def _margins(divergence: Divergence | None) -> Iterator[str]:
    if divergence and (text := margins(divergence)):
        yield f"      {text}"


def margins(divergence: Divergence) -> str:
    """Say how sure each side was of the token with which it went its own way; nothing where it is not recorded."""
    known = [
        (side, in_nats(margin)) for side, margin in zip("ab", divergence.margins, strict=True) if margin is not None
    ]
    return ", ".join(f"{side} took it {margin:+.3f} nats before the likeliest other" for side, margin in known)


def _flip(flip: Flip, texts: CellTexts) -> str:
    where = "tokens withheld" if texts.unknown else "same tokens"
    if flip.divergence:
        where = _where(flip.divergence)
    name = f"{shortened(flip.prompt_id, 24)} ({shortened(flip.category, 20)})"
    return f"{name}  {flip.a.value} → {flip.b.value}  {where}"


def _reruns(reruns: Sequence[Rerun], limit: int) -> Iterator[str]:
    if reruns:
        yield "runs, and where the other side's runs expect a further one (95 %)"
    for rerun in reruns[:limit]:
        name = f"{rerun.arm} on {rerun.evaluation} by {rerun.judge}"
        span = f"{100 * min(rerun.rates):.1f} to {100 * max(rerun.rates):.1f} %"
        given = f"{100 * rerun.rates[0]:.1f} %" if len(rerun.rates) == 1 else f"{len(rerun.rates)} runs, {span}"
        expected = f"{100 * rerun.expected.low:.1f} to {100 * rerun.expected.high:.1f} %"
        within = f"{rerun.within} of {len(rerun.rates)} within"
        seeds = "the same" if rerun.same_seeds else "other"
        yield f"  {name}: {rerun.other} has {given}, with {seeds} seeds"
        yield f"    expected from {rerun.runs} runs of {rerun.reference}: {expected}; {within}"
    yield from _rest(len(reruns) - limit, "  ")


def _one_sided(evidence: Evidence) -> Iterator[str]:
    for side, cells in (("a", evidence.only_a), ("b", evidence.only_b)):
        if cells:
            yield f"only in {side}: {len(cells)} cells: {', '.join(map(str, cells))}"


def _rest(count: int, indent: str) -> Iterator[str]:
    if count > 0:
        yield f"{indent}… and {count} more"
