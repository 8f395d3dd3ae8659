"""A comparison as one HTML page that needs nothing else: the report's form, with both texts side by side."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.bundle.streamed import picked
from kit.core.escaping import on_one_line
from kit.report.excerpts import Excerpt, excerpt
from kit.report.figures import Figure, difference_strip
from kit.report.html import render_page
from kit.report.result_types import Rate
from kit.report.wording import NOTHING, p_value, percent, percent_range
from kit.review.diff.grade import points
from kit.review.diff.sequences import first_difference
from kit.review.diff.shown import value
from kit.review.diff.text import STAGES, margins, reduced

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from kit.bundle.contents import Contents
    from kit.core.cells import Cell
    from kit.review.diff.compare import Comparison
    from kit.review.diff.evidence import Divergence, Flip, Parting, RateComparison, Rerun

FLIPS_SHOWN = 6
"""Per cell and judge; `kit diff --json` has them all."""
CELLS_SHOWN = 20
"""With flips; those in which most verdicts flipped."""
_WIDTH = 60
"""Characters of a value."""
_CONTEXT = 40
"""Characters that two answers share, of which so many are shown before they part."""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """What differs beside the results."""

    influence: str
    place: str
    a: str
    b: str
    explains: str


@dataclass(frozen=True, slots=True)
class PartingRow:
    """Where two trainings parted."""

    weights: str
    where: str
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class RateRow:
    """A rate that moved."""

    cell: str
    judge: str
    rate: str
    a: str
    b: str
    change: str
    interval: str
    p_value: str
    within: bool
    cut_off: str
    """The share of the cell's answers that ended at `max_tokens`, on both sides."""
    figure: Figure


@dataclass(frozen=True, slots=True)
class RerunRow:
    """Runs with seeds of their own, and where they were expected."""

    what: str
    side: str
    rates: str
    expected: str
    within: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One side's answer; no text where it is withheld."""

    verdict: str
    text: Excerpt | None


@dataclass(frozen=True, slots=True)
class FlipRow:
    """A prompt on which the verdict differs."""

    prompt_id: str
    category: str
    text: Excerpt | None
    parted: str
    a: Answer
    b: Answer


@dataclass(frozen=True, slots=True)
class Flips:
    """The flips of one cell."""

    cell: str
    judge: str
    total: int
    rows: tuple[FlipRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the page says, in its order."""

    names: tuple[str, str]
    grade: str
    reason: str
    margin: str
    digests: tuple[str, str]
    changes: tuple[ChangeRow, ...]
    notes: tuple[str, ...]
    partings: tuple[PartingRow, ...]
    same_cells: int
    cells: int
    rates: tuple[RateRow, ...]
    reruns: tuple[RerunRow, ...]
    flips: tuple[Flips, ...]
    only: tuple[tuple[str, tuple[str, ...]], ...]
    """Side, and its cells that the other lacks."""


def render(comparison: Comparison, a: Contents, b: Contents) -> str:
    """Return the page: the same text for the same two bundles; all of their text is taken for hostile."""
    return render_page("diff.html.j2", build(comparison, a, b))


def build(comparison: Comparison, a: Contents, b: Contents) -> Page:
    """Return the page's content."""
    evidence = comparison.evidence
    changed = {texts.cell for texts in evidence.texts if texts.divergences} | {flip.cell for flip in evidence.flips}
    ends = {texts.cell: texts.cut_off_shares for texts in evidence.texts}
    return Page(
        names=(a.manifest.name, b.manifest.name),
        grade=comparison.grade.value,
        reason=comparison.reason,
        margin=f"{100 * evidence.margin:g}",
        digests=evidence.results_digests,
        changes=tuple(
            ChangeRow(
                change.influence.value,
                f"{change.place} {change.path}",
                value(change.a, _WIDTH),
                value(change.b, _WIDTH),
                change.explains,
            )
            for change in evidence.changes
        ),
        notes=evidence.notes,
        partings=tuple(map(_parting, evidence.training)),
        same_cells=len(evidence.texts) - len(changed),
        cells=len(evidence.texts),
        rates=tuple(_rate(rate, evidence.margin, ends[rate.cell]) for rate in evidence.rates if rate.counts.discordant),
        reruns=tuple(map(_rerun, evidence.reruns)),
        flips=tuple(_flips(evidence.flips, a, b)),
        only=tuple(
            (side, tuple(map(str, cells))) for side, cells in (("a", evidence.only_a), ("b", evidence.only_b)) if cells
        ),
    )


def _parting(parting: Parting) -> PartingRow:
    stage = STAGES.get(parting.stage, parting.stage)
    before, after = reduced(parting.a, parting.b)
    where = stage if parting.index is None else f"{stage}, entry {parting.index}"
    return PartingRow(str(parting.weights), where, value(before, _WIDTH), value(after, _WIDTH))


def _rate(rate: RateComparison, margin: float, ends: tuple[float, float] | None) -> RateRow:
    counts, difference = rate.counts, rate.difference
    estimate = (counts.only_second - counts.only_first) / counts.n
    return RateRow(
        cell=str(rate.cell),
        judge=rate.judge,
        rate=rate.rate.replace("_", " "),
        a=percent(counts.first / counts.n),
        b=percent(counts.second / counts.n),
        change=points(estimate),
        interval=f"{points(difference.low)} to {points(difference.high)}",
        p_value=p_value(rate.p_adjusted),
        within=rate.is_within(margin),
        cut_off=" → ".join(map(percent, ends)) if ends else NOTHING,
        figure=difference_strip(Rate(estimate, difference.low, difference.high)),
    )


def _rerun(rerun: Rerun) -> RerunRow:
    expected = percent_range(rerun.expected.low, rerun.expected.high)
    return RerunRow(
        what=f"{rerun.arm} on {rerun.evaluation}, judge {rerun.judge}",
        side=rerun.other,
        rates=", ".join(map(percent, rerun.rates)),
        expected=f"{expected} (from {rerun.runs} runs of {rerun.reference})",
        within=f"{rerun.within} of {len(rerun.rates)}",
    )


def _flips(flips: Iterable[Flip], a: Contents, b: Contents) -> Iterable[Flips]:
    by_cell: defaultdict[tuple[Cell, str], list[Flip]] = defaultdict(list)
    for flip in flips:
        by_cell[flip.cell, flip.judge].append(flip)
    most = sorted(by_cell.items(), key=lambda item: (-len(item[1]), str(item[0][0]), item[0][1]))
    for (cell, judge), found in most[:CELLS_SHOWN]:
        yield Flips(str(cell), judge, len(found), tuple(_flip_rows(cell, found[:FLIPS_SHOWN], a, b)))


def _flip_rows(cell: Cell, flips: Sequence[Flip], a: Contents, b: Contents) -> Iterable[FlipRow]:
    texts = [_texts(side, cell, {flip.prompt_id for flip in flips}) for side in (a, b)]
    prompts = {prompt.id: prompt.text for prompt in a.prompts[cell.evaluation]}
    shown = all(texts)
    for flip in flips:
        key, parted = flip.prompt_id, flip.divergence
        before, after = (excerpt(side[key]) if shown else None for side in texts)
        yield FlipRow(
            prompt_id=key,
            category=flip.category,
            text=excerpt(prompts[key]) if shown else None,
            parted=_parted(parted, *(side.get(key, "") for side in texts)),
            a=Answer(flip.a.value, before),
            b=Answer(flip.b.value, after),
        )


def _parted(divergence: Divergence | None, a: str, b: str) -> str:
    """Say where two answers part; texts that are not shown are empty."""
    if divergence is None:
        return "the tokens are the same"
    if divergence.position is None:
        return "the texts differ"
    tokens = f"{value(divergence.a, _WIDTH)} → {value(divergence.b, _WIDTH)}"
    shared = on_one_line(a[: first_difference(a, b)[0]][-_CONTEXT:])
    after = f", after “{shared}”" if shared else ""
    return "; ".join(filter(None, [f"from token {divergence.position} on ({tokens}){after}", margins(divergence)]))


def _texts(contents: Contents, cell: Cell, prompts: AbstractSet[str]) -> dict[str, str]:
    """Return the answers of a cell to some prompts, or nothing where its text is not for publication."""
    data = contents.manifest.data[contents.manifest.evaluations[cell.evaluation].data]
    if not data.publish or cell.evaluation in contents.withheld:
        return {}
    return {row.prompt_id: row.text for row in picked(contents.completions[cell], prompts)}
