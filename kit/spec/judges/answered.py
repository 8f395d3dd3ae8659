"""The one place where a judge is asked: it sees the answer, and not what the model thought before it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kit.core.rows import Judgement, Verdict
from kit.core.thinking import answer_of
from kit.spec.judges.label import LabelJudge

if TYPE_CHECKING:
    from kit.core.rows import Completion, Prompt
    from kit.spec.judges.interface import Judge

UNFINISHED_THINKING = "incoherent:unfinished-thinking"
"""The rule by which a completion without an answer is judged."""


def answered(completion: Completion, answer_after: str | None) -> Completion | None:
    """Return a completion with nothing but the answer in its text; None where its thinking did not end.

    Args:
        completion: what the model wrote.
        answer_after: as the evaluation names it.
    """
    text = answer_of(completion.text, answer_after)
    if text is None:
        return None
    return completion if text == completion.text else replace(completion, text=text)


def verdict_on(judge: Judge, prompt: Prompt, completion: Completion, answer_after: str | None) -> Judgement:
    """Return a judge's verdict on the answer in a completion; one without an answer is incoherent to every judge.

    People are an exception: their label is what they said of what they saw.

    Raises:
        CheckFailed: the prompt lacks what this judge needs.
    """
    if judge.kind == LabelJudge.kind:
        return judge.judge(prompt, completion)
    answer = answered(completion, answer_after)
    if answer is None:
        return Judgement(prompt_id=prompt.id, verdict=Verdict.INCOHERENT, rule=UNFINISHED_THINKING)
    return judge.judge(prompt, answer)
