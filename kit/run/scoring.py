"""Verdicts on many cells: every judge over every completion, and all that they cannot judge at once."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from kit.core.errors import CheckFailed, Problem
from kit.spec.judges import judge_kind, judge_of
from kit.spec.judges.answered import verdict_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kit.core.cells import Cell
    from kit.core.rows import Completion, Judgement, Prompt
    from kit.spec.manifest.model import JudgeChoice

    Judged = tuple[Cell, str]

MAX_PROBLEMS = 20
"""How many different complaints are listed; the rest are counted."""
MAX_IDS = 5
"""How many prompts of one complaint are named; the rest are counted."""


def give_verdicts(
    judged: Iterable[Judged],
    judges: Mapping[str, JudgeChoice],
    prompts: Mapping[str, Sequence[Prompt]],
    completions: Mapping[Cell, Sequence[Completion]],
    answers: Mapping[Judged, Sequence[Completion]],
    answer_after: Mapping[Cell, str | None],
) -> dict[Judged, list[Judgement]]:
    """Return the judgements of each cell and judge, in the order of the prompts.

    Args:
        judged: cells, each with the name of a judge.
        judges: by name.
        prompts: by evaluation, in the order of the data set.
        completions: by cell, in the order of the prompts.
        answers: by cell and judge, what the judge's model answered; nothing for a judge that asks none.
        answer_after: by cell, what ends the thinking before an answer; None where all of it is the answer.

    Raises:
        CheckFailed: a model gave an answer that its judge does not know, or a prompt lacks what a judge needs.
    """
    verdicts: dict[Judged, list[Judgement]] = {}
    refused: dict[tuple[Cell, str, str, str], list[str]] = defaultdict(list)
    for cell, name in judged:
        kind = judge_kind(judges[name].kind)
        judge = judge_of(judges[name].to_json(), answers.get((cell, name), ()))
        rows = verdicts[cell, name] = []
        for prompt, completion in zip(prompts[cell.evaluation], completions[cell], strict=True):
            try:
                rows.append(verdict_on(kind, judge, prompt, completion, answer_after[cell]))
            except CheckFailed as error:
                (problem,) = error.problems
                refused[cell, name, problem.what, problem.remedy].append(prompt.id)
    if refused:
        raise CheckFailed(_problems(refused))
    return verdicts


def _problems(refused: Mapping[tuple[Cell, str, str, str], Sequence[str]]) -> Iterator[Problem]:
    for (cell, name, what, remedy), ids in list(refused.items())[:MAX_PROBLEMS]:
        more = f" and {len(ids) - MAX_IDS} more" if len(ids) > MAX_IDS else ""
        who = f"{', '.join(ids[:MAX_IDS])}{more}"
        yield Problem(f"judge {name!r}, {cell}", f"{who}: {what}", f"{remedy}; finished steps are kept")
    rest = list(refused.values())[MAX_PROBLEMS:]
    if rest:
        yield Problem("judges", f"{len(rest)} more complaints, on {sum(map(len, rest))} prompts")
