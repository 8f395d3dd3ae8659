"""The one place where a judge is asked: it sees the answer, and not what the model thought before it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kit.core.errors import CheckFailed
from kit.core.rates import VERDICTS
from kit.core.rows import Judgement, Verdict
from kit.core.thinking import answer_of

if TYPE_CHECKING:
    from kit.core.rows import Completion, Prompt
    from kit.spec.judges.interface import Judge, JudgeKind

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


def verdict_on(
    kind: JudgeKind, judge: Judge, prompt: Prompt, completion: Completion, answer_after: str | None
) -> Judgement:
    """Return a judge's verdict on the answer in a completion; one without an answer is incoherent to every judge.

    People are an exception: their label is what they said of what they saw.

    Args:
        kind: of the judge.
        judge: who is asked.
        prompt: what was asked.
        completion: what the model wrote.
        answer_after: as the evaluation names it.

    Raises:
        CheckFailed: the prompt lacks what this judge needs, or the judge gave what is no verdict of its kind.
    """
    answer = completion if kind.is_label else answered(completion, answer_after)
    if answer is None:
        return Judgement(prompt_id=prompt.id, verdict=Verdict.INCOHERENT, rule=UNFINISHED_THINKING)
    given = judge.judge(prompt, answer)
    if given.prompt_id != prompt.id or given.verdict not in VERDICTS[kind.evaluation]:
        what = f"the judge said {given.verdict.value} of {given.prompt_id!r}, which is no verdict on {kind.evaluation}"
        raise CheckFailed.of(f"prompt {prompt.id}", what, "mend the judge")
    return given
