"""Whether both sides asked the same."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from kit.review.diff.evidence import Change, Influence, PromptChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kit.core.cells import Cell
    from kit.core.rows import Prompt
    from kit.review.diff.evidence import Asked


def prompt_changes(
    a: Mapping[str, Sequence[Prompt]], b: Mapping[str, Sequence[Prompt]], evaluations: Iterable[str]
) -> list[PromptChange]:
    """Return the evaluations whose prompts differ."""
    found = (_prompt_change(name, a[name], b[name]) for name in sorted(evaluations))
    return [change for change in found if change]


def shared_prompts(a: Sequence[Prompt], b: Sequence[Prompt]) -> list[Prompt]:
    """Return the prompts that are the same on both sides, in the order of a."""
    others = {prompt.id: prompt for prompt in b}
    return [prompt for prompt in a if others.get(prompt.id) == prompt]


def asked_differently(asked: Iterable[tuple[Cell, Asked]]) -> list[Change]:
    """Return the evaluations whose prompts reached the model as other tokens, with the first prompt's digests."""
    changed: defaultdict[str, list[Asked]] = defaultdict(list)
    for cell, one in asked:
        changed[cell.evaluation].append(one)
    return [change for evaluation, of_cells in sorted(changed.items()) for change in _asked(evaluation, of_cells)]


def _prompt_change(evaluation: str, a: Sequence[Prompt], b: Sequence[Prompt]) -> PromptChange | None:
    if list(a) == list(b):
        return None
    left, right = {prompt.id: prompt for prompt in a}, {prompt.id: prompt for prompt in b}
    return PromptChange(
        evaluation,
        only_a=tuple(key for key in left if key not in right),
        only_b=tuple(key for key in right if key not in left),
        altered=tuple(key for key in left if key in right and left[key] != right[key]),
    )


def _asked(evaluation: str, asked: Sequence[Asked]) -> Iterator[Change]:
    first = next((one.first for one in asked if one.first), None)
    if first:
        before, after, other_template = first
        what = "template" if other_template else "tokenizer or system prompt"
        requests = sum(one.requests for one in asked)
        explains = f"{requests} requests reached the model as other tokens: another {what}"
        yield Change("prompts", evaluation, before, after, Influence.LIKELY, explains)
