"""One cell on both sides, read in step: what of its completions and verdicts differs.

Nothing that is the same on both sides stays in memory, so that bundles may be larger than it.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from kit.bundle.streamed import picked
from kit.core.errors import CheckFailed
from kit.core.rows import Completion, Judgement, LogprobMargins
from kit.review.diff.evidence import Asked, CellTexts, Divergence, Flip
from kit.review.diff.pooled import CODES
from kit.review.diff.rates import count_rates
from kit.review.diff.sequences import first_difference
from kit.stats.answers import is_cut_off
from kit.stats.judged import verdict_problems

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from kit.core.cells import Cell
    from kit.core.rows import Verdict
    from kit.review.diff.evidence import Compared
    from kit.stats.paired import PairedCounts

    Answers = Sequence[Completion] | Sequence[Judgement] | Sequence[LogprobMargins]

_CODE = {verdict: code for code, verdict in enumerate(CODES)}
Row = TypeVar("Row", Completion, Judgement)

MARGINS_SHOWN = 1000
"""Completions of a cell of which it is looked up how sure each side was where they part; a median needs no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPair:
    """The rows of one cell on both sides."""

    cell: Cell
    kinds: Sequence[str]
    """Of its evaluation, on each side that has the cell."""
    compared: Compared
    can_be_cut_off: bool
    """Whether an end at `max_tokens` says anything of its completions."""
    categories: Mapping[str, str]
    """Of the prompts that both sides asked, by id, in the order of a."""
    completions: Sequence[Sequence[Completion]]
    """Of each side that has the cell."""
    judged: Mapping[str, tuple[Sequence[Judgement], Sequence[Judgement]]]
    """By judge that both sides have."""
    margins: tuple[Sequence[LogprobMargins], Sequence[LogprobMargins]]
    """Nothing on a side that did not record them."""
    others: Sequence[Answers]
    """Rows that are not compared, which are walked because nobody else checks them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellComparison:
    """What of one cell differs."""

    in_common: bool
    """Whether both sides have it."""
    texts: CellTexts
    asked: Asked
    flips: list[Flip]
    counts: dict[tuple[str, str], PairedCounts]
    """By judge and rate; none where the two sides have no rate in common."""
    kind: str
    """Of its evaluation; empty where the two sides do not have the same."""
    verdicts: dict[str, tuple[bytes, bytes]]
    """By judge: both sides' verdicts in the order of the prompts, each as its place in `CODES`."""


def compare_cell(pair: CellPair) -> CellComparison:
    """Read and compare one cell.

    Raises:
        CheckFailed: a row is malformed, or a verdict does not belong to its kind of evaluation.
        OSError: a file cannot be read.
    """
    texts, asked = _compare_texts(pair)
    flips: list[Flip] = []
    counts: dict[tuple[str, str], PairedCounts] = {}
    verdicts: dict[str, tuple[bytes, bytes]] = {}
    kind = pair.kinds[0] if len(set(pair.kinds)) == 1 else ""
    for judge in pair.judged:
        table, codes = _compare_verdicts(pair, judge, texts, flips)
        if kind:  # of two kinds there is no common rate, and the grade says why
            verdicts[judge] = codes
            if problems := list(verdict_problems(pair.cell, judge, kind, {one for both in table for one in both})):
                raise CheckFailed(problems)
            counts.update({(judge, rate): one for rate, one in count_rates(kind, table).items()})
    for rows in pair.others:
        deque(rows, maxlen=0)
    return CellComparison(
        in_common=len(pair.kinds) == 2,
        texts=texts,
        asked=asked,
        flips=flips,
        counts=counts,
        kind=kind,
        verdicts=verdicts,
    )


def _compare_texts(pair: CellPair) -> tuple[CellTexts, Asked]:
    divergences: dict[str, Divergence] = {}
    requests, first = 0, None
    cut_off = [0, 0]
    for a, b in _joined(pair.categories, *pair.completions):
        cut_off[0] += is_cut_off(a)
        cut_off[1] += is_cut_off(b)
        if _tokens(a) != _tokens(b):
            divergences[a.prompt_id] = _divergence(a, b)
        if a.prompt_tokens != b.prompt_tokens:
            requests, first = requests + 1, first or (a.prompt_tokens, b.prompt_tokens, a.template != b.template)
    if divergences:
        _add_margins(divergences, pair.margins)
    ends = (cut_off[0], cut_off[1]) if pair.can_be_cut_off else None
    texts = CellTexts(pair.cell, len(pair.categories), divergences, pair.compared, ends)
    return texts, Asked(requests, first)


def _tokens(row: Completion) -> tuple[object, ...]:
    """Return the tokens of a completion, or what is known of them."""
    return row.token_ids if row.tokens is None else (row.tokens, (row.withheld or {}).get("token_ids"))


def _divergence(a: Completion, b: Completion) -> Divergence:
    if a.tokens is not None or b.tokens is not None:
        return Divergence(None, None, None)
    return Divergence(*first_difference(a.token_ids, b.token_ids))


def _add_margins(
    divergences: dict[str, Divergence], margins: tuple[Sequence[LogprobMargins], Sequence[LogprobMargins]]
) -> None:
    """Note how sure each side was where two completions part."""
    shown = set(islice(divergences, MARGINS_SHOWN))
    for side, rows in enumerate(margins):
        for row in picked(rows, shown):
            found = divergences[row.prompt_id]
            if found.position is not None and found.position < len(row.margins):
                margin = row.margins[found.position]
                known = (margin, found.margins[1]) if side == 0 else (found.margins[0], margin)
                divergences[row.prompt_id] = found._replace(margins=known)


def _compare_verdicts(
    pair: CellPair, judge: str, texts: CellTexts, flips: list[Flip]
) -> tuple[Counter[tuple[Verdict, Verdict]], tuple[bytes, bytes]]:
    """Count the pairs of verdicts, and note those that differ, in the order of the prompts."""
    table: Counter[tuple[Verdict, Verdict]] = Counter()
    codes = bytearray(), bytearray()
    for a, b in _joined(pair.categories, *pair.judged[judge]):
        table[a.verdict, b.verdict] += 1
        codes[0].append(_CODE[a.verdict])
        codes[1].append(_CODE[b.verdict])
        if a.verdict != b.verdict:
            key = a.prompt_id
            divergence = texts.divergences.get(key)
            flips.append(Flip(pair.cell, judge, key, pair.categories[key], a.verdict, b.verdict, divergence))
    return table, (bytes(codes[0]), bytes(codes[1]))


def _joined(ids: Collection[str], a: Iterable[Row], b: Iterable[Row] = ()) -> Iterator[tuple[Row, Row]]:
    """Pair the rows of some prompts, in the order of a; of b is held back what stands earlier there."""
    early: dict[str, Row] = {}
    others = (row for row in b if row.prompt_id in ids)
    for row in a:
        if row.prompt_id in ids:
            while row.prompt_id not in early:
                other = next(others)
                early[other.prompt_id] = other
            yield row, early.pop(row.prompt_id)
    deque(others, maxlen=0)
