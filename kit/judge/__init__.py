"""Judges: from a prompt and a completion to a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kit.errors import Finding
from kit.judge.choice import ChoiceJudge
from kit.judge.exact import ExactJudge
from kit.judge.model import ModelJudge
from kit.judge.pattern import PatternJudge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kit.judge.interface import Judge
    from kit.rows import Completion

_JUDGES: tuple[Judge, ...] = (ChoiceJudge(), ExactJudge(), PatternJudge())

KINDS = tuple(judge.kind for judge in _JUDGES)
"""What a manifest may write as the `kind` of a judge that needs nothing but the rows; there is also `model`."""


def judge_of(settings: Mapping[str, Any], answers: Iterable[Completion] = ()) -> Judge:
    """Return the judge that an entry of a manifest's `judges` describes.

    Args:
        settings: the entry, as JSON that the schema has accepted.
        answers: what the judge's model answered in the cell that is to be judged; of no use to other judges.
    """
    if settings["kind"] != "model":
        return judge_of_kind(settings["kind"])
    given = {answer.prompt_id: answer for answer in answers}
    return ModelJudge(read=settings["read"], answers=settings["answers"], given=given)


def judge_of_kind(kind: str) -> Judge:
    """Return the judge that a manifest calls by this kind.

    Raises:
        Finding: there is no such kind.
    """
    for judge in _JUDGES:
        if judge.kind == kind:
            return judge
    raise Finding.of("judge", f"{kind!r} is not a kind of judge", f"use one of {', '.join(KINDS)}")
