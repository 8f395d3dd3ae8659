"""Judges: from a prompt and a completion to a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kit.core.errors import CheckFailed
from kit.spec.judges.choice import ChoiceJudge
from kit.spec.judges.exact import ExactJudge
from kit.spec.judges.label import LabelJudge
from kit.spec.judges.model import ModelJudge
from kit.spec.judges.pattern import PatternJudge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kit.core.rows import Completion
    from kit.spec.judges.interface import Judge

_JUDGES: tuple[Judge, ...] = (ChoiceJudge(), ExactJudge(), LabelJudge(), PatternJudge())

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
        CheckFailed: there is no such kind.
    """
    for judge in _JUDGES:
        if judge.kind == kind:
            return judge
    raise CheckFailed.of("judge", f"{kind!r} is not a kind of judge", f"use one of {', '.join(KINDS)}")
