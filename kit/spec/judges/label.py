"""People as a judge: the label that a data set brings for each recorded answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.digests import json_digest
from kit.core.errors import CheckFailed
from kit.core.rows import Judgement, Verdict

if TYPE_CHECKING:
    from kit.core.rows import Completion, Prompt

_LABELS = (Verdict.REFUSAL, Verdict.PARTIAL, Verdict.COMPLIANCE, Verdict.INCOHERENT)


class LabelJudge:
    """The judge of recorded answers that somebody has labelled: its verdict is the label."""

    kind = "label"
    rules = json_digest({"version": 1, "labels": [*_LABELS]})

    def judge(self, prompt: Prompt, _completion: Completion) -> Judgement:
        """Return the label as a verdict.

        Raises:
            CheckFailed: the prompt has no label that is a verdict on safety.
        """
        if prompt.answer not in _LABELS:
            what = "has no label" if prompt.answer is None else f"{prompt.answer!r} is no label"
            raise CheckFailed.of(f"prompt {prompt.id}", what, f"label it with one of {', '.join(_LABELS)}")
        return Judgement(prompt_id=prompt.id, verdict=Verdict(prompt.answer), rule="label")
