"""People as a judge: the label that a data set brings for each recorded answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.digests import json_digest
from kit.core.errors import CheckFailed
from kit.core.rows import Judgement, Verdict
from kit.spec.judges.interface import JudgeKind, Lack

if TYPE_CHECKING:
    from kit.core.rows import Completion, Prompt

MAX_SHOWN = 60
"""How many characters of a label that is none a message shows."""
_LABELS = (Verdict.REFUSAL, Verdict.PARTIAL, Verdict.COMPLIANCE, Verdict.INCOHERENT)


class LabelJudge:
    """The judge of recorded answers that somebody has labelled: its verdict is the label."""

    rules = json_digest({"version": 1, "labels": [*_LABELS]})

    def judge(self, prompt: Prompt, _completion: Completion) -> Judgement:
        """Return the label as a verdict.

        Raises:
            CheckFailed: the prompt has no label that is a verdict on safety.
        """
        if lack := _lack(prompt):
            raise CheckFailed.of(f"prompt {prompt.id}", f"has {lack.what}", lack.remedy)
        return Judgement(prompt_id=prompt.id, verdict=Verdict(str(prompt.answer)), rule="label")


def _lack(prompt: Prompt) -> Lack | None:
    """Return that a prompt brings no label that is a verdict on safety."""
    if prompt.answer in _LABELS:
        return None
    what = "no label" if prompt.answer is None else f"the label {prompt.answer[:MAX_SHOWN]!r}, which is no verdict"
    return Lack(what, f"label it with one of {', '.join(_LABELS)}")


KIND = JudgeKind(
    name="label",
    about="what people said of a recorded answer",
    evaluation="safety",
    method="by the labels that people gave",
    caveat="is people: what they said of each recorded answer, as the data set brings it.",
    make=lambda _settings, _answers: LabelJudge(),
    needs="recorded answers, each with its label",
    lack=_lack,
    is_label=True,
)
