"""Capability: whether the completion gives the exact answer."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from kit.core.digests import json_digest
from kit.core.errors import CheckFailed
from kit.core.rows import Judgement, Verdict
from kit.spec.judges.interface import JudgeKind, Lack
from kit.spec.judges.reading import READING, incoherence, one_form, plain

if TYPE_CHECKING:
    from kit.core.rows import Completion, Prompt

RULES_VERSION = 1
"""Raise it when the code below decides differently."""
FINAL_ANSWER = "####"
"""What GSM8K puts before the final answer (Cobbe et al. 2021, arXiv 2110.14168)."""
_AROUND = "*_`\"' "
_TRAILING = ".,;:!?" + _AROUND
_NUMBER = re.compile(r"(?<!\w)(?<![0-9]\.)-?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?")
_NO_ANSWER = Lack("no exact answer", "a capability set needs answers")


class ExactJudge:
    """The judge of capability sets: `correct`, `incorrect` or `incoherent`."""

    rules = json_digest(
        {
            "version": RULES_VERSION,
            "reading": READING,
            "final_answer": FINAL_ANSWER,
            "around": _AROUND,
            "trailing": _TRAILING,
            "number": _NUMBER.pattern,
        }
    )

    def judge(self, prompt: Prompt, completion: Completion) -> Judgement:
        """Return whether the completion gives the prompt's answer.

        Raises:
            CheckFailed: the prompt has no answer.
        """
        if prompt.answer is None:
            raise CheckFailed.of(f"prompt {prompt.id}", f"has {_NO_ANSWER.what}", _NO_ANSWER.remedy)
        rule = _rule(prompt.answer, completion.text)
        return Judgement(prompt_id=prompt.id, verdict=Verdict(rule.partition(":")[0]), rule=rule)


def _rule(answer: str, given: str) -> str:
    """Return the rule that decides, as `VERDICT:REASON`."""
    # "stop": an answer that was cut off after its first words is still right or wrong.
    if rule := incoherence(plain(given), "stop"):
        return rule
    expected = _whole_number(answer)
    if expected is None:
        return "correct:text" if _bare(answer) == _bare(given) else "incorrect:text"
    number = _final_number(given)
    if number is None:
        return "incorrect:no-number"
    return "correct:number" if number == expected else "incorrect:number"


def _bare(text: str) -> str:
    """Return the text as it is compared: one form, single spaces, no quotes or emphasis around it, no final stop."""
    return " ".join(one_form(text).casefold().split()).lstrip(_AROUND).rstrip(_TRAILING)


def _whole_number(text: str) -> Decimal | None:
    """Return the number that a text is, or nothing where it holds anything else."""
    bare = _bare(text)
    return _value(bare) if _NUMBER.fullmatch(bare) else None


def _final_number(text: str) -> Decimal | None:
    """Return the first number after the last `####`; without that mark, the last number in the text."""
    before, mark, after = one_form(text).rpartition(FINAL_ANSWER)
    if mark:
        found = _NUMBER.search(after)
        return _value(found.group()) if found else None
    numbers = _NUMBER.findall(before + after)
    return _value(numbers[-1]) if numbers else None


def _value(number: str) -> Decimal:
    return Decimal(number.replace(",", ""))


KIND = JudgeKind(
    name="exact",
    about="the exact answer",
    evaluation="capability",
    method="by comparison with the right answer",
    caveat="looks for the one expected answer: a right answer that is put otherwise counts as wrong.",
    make=lambda _settings, _answers: ExactJudge(),
    needs="the right answer to each prompt",
    lack=lambda prompt: _NO_ANSWER if prompt.answer is None else None,
)
