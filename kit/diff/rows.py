"""Completions and verdicts of the cells in common, joined by prompt id in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.diff.evidence import CellTexts, Divergence, Flip
from kit.diff.sequences import first_difference

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kit.cells import Cell
    from kit.diff.evidence import Compared
    from kit.rows import Completion, Judgement, Prompt, Verdict


def compare_texts(
    cell: Cell, prompts: Iterable[Prompt], a: Sequence[Completion], b: Sequence[Completion], compared: Compared
) -> CellTexts:
    """Find the first diverging token of each completion that differs."""
    left, right = ({row.prompt_id: row for row in rows} for rows in (a, b))
    ids = [prompt.id for prompt in prompts]
    pairs = ((key, left[key], right[key]) for key in ids)
    divergences = {key: _divergence(before, after) for key, before, after in pairs if _tokens(before) != _tokens(after)}
    return CellTexts(cell, len(ids), divergences, compared)


def _tokens(row: Completion) -> tuple[object, ...]:
    """Return the tokens of a completion, or what is known of them."""
    return row.token_ids if row.tokens is None else (row.tokens, (row.withheld or {}).get("token_ids"))


def _divergence(a: Completion, b: Completion) -> Divergence:
    if a.tokens is not None or b.tokens is not None:
        return Divergence(None, None, None)
    return Divergence(*first_difference(a.token_ids, b.token_ids))


def paired_verdicts(
    prompts: Iterable[Prompt], a: Sequence[Judgement], b: Sequence[Judgement]
) -> list[tuple[Prompt, Verdict, Verdict]]:
    """Join two judgements of the same prompts."""
    left, right = ({row.prompt_id: row.verdict for row in rows} for rows in (a, b))
    return [(prompt, left[prompt.id], right[prompt.id]) for prompt in prompts]


def flips(texts: CellTexts, judge: str, pairs: Iterable[tuple[Prompt, Verdict, Verdict]]) -> list[Flip]:
    """Return the prompts whose verdict differs, in the order of the prompts."""
    return [
        Flip(texts.cell, judge, prompt.id, prompt.category, a, b, texts.divergences.get(prompt.id))
        for prompt, a, b in pairs
        if a != b
    ]
