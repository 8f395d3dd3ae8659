"""Judges: from a prompt and a completion to a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.errors import Finding
from kit.judge.choice import ChoiceJudge
from kit.judge.exact import ExactJudge
from kit.judge.pattern import PatternJudge

if TYPE_CHECKING:
    from kit.judge.interface import Judge

_JUDGES: tuple[Judge, ...] = (ChoiceJudge(), ExactJudge(), PatternJudge())

KINDS = tuple(judge.kind for judge in _JUDGES)
"""What a manifest may write as a judge's `kind`."""


def judge_of_kind(kind: str) -> Judge:
    """Return the judge that a manifest calls by this kind.

    Raises:
        Finding: there is no such kind.
    """
    for judge in _JUDGES:
        if judge.kind == kind:
            return judge
    raise Finding.of("judge", f"{kind!r} is not a kind of judge", f"use one of {', '.join(KINDS)}")
