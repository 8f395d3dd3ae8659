"""Capability: whether the completion chooses the right option of a multiple-choice question."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kit.core.digests import json_digest
from kit.core.errors import CheckFailed
from kit.core.rows import Judgement, Verdict
from kit.spec.judges.interface import JudgeKind, Lack
from kit.spec.judges.reading import READING, incoherence, plain, uniform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.core.rows import Completion, Prompt

RULES_VERSION = 1
"""Raise it when the code below decides differently with the same patterns."""

_MARKUP = str.maketrans(dict.fromkeys('*_#>~|`"', " "))
_ANSWER_TAG = re.compile(r"<answer>", re.IGNORECASE)
_TAG = re.compile(r"</?\w{1,20}>")
_QUOTE = re.compile(r"(?<!\w)'|'(?!\w)")

# `A` and `I` are words too, and `C` may be a vitamin: a letter is an option only by what follows it.
_ENDS = r"(?= ?[).:,;\]}!?](?!\w)| - | ?$)"
_GOES_ON = r"(?= (?:is|because|since|as|and|or|but|would|was|seems|due|given|based|which)\b)"
_LETTER = rf"(?:[A-J]{_ENDS}|[A-HJ]{_GOES_ON})"
_ANY_CASE = rf"(?:{_LETTER}|[a-j]{_ENDS})"
_HEDGE = "(?: likely| probably| most likely| therefore| clearly| definitely)?"
_IS = rf"(?: is| would be| must be| should be|:| :| =){_HEDGE}(?::| :)?"
_SAYS = rf"(?:(?:answer|option|choice)(?: (?:to|for) (?:this|the) question)?{_IS}|go(?:ing)? with|choose|pick|select)"
_OPTION = r"(?:[ \n](?:the )?(?:(?:correct|right) )?(?:option|choice|letter|answer)(?: is|:)?)?"

_BOXED = re.compile(r"\\boxed ?\{ ?(?:\\text ?\{ ?)?\(?([A-J])\)? ?\}")
_STATED = re.compile(rf"(?i:\b{_SAYS}{_OPTION})[ \n]?[(\[{{]?({_ANY_CASE})", re.MULTILINE)
_OPENING = re.compile(rf"\A(?i:(?:the )?(?:(?:correct|right) )?(?:option|choice) )?[(\[]?({_ANY_CASE})", re.MULTILINE)
_ALONE = re.compile(
    rf"(?<!not )(?<!n't )(?:(?<![\w.(\[{{-])|(?<![\w.-])[(\[{{])({_LETTER})",
    re.MULTILINE,
)
_LISTED = re.compile(r"^[(\[]?([A-J])[).:\]]", re.MULTILINE)
_ANSWER = re.compile(r"[(\[]?([A-Ja-j])[)\].:]?")
_NO_LETTER = Lack("no answer that is a letter from A to J", "judge this set by `exact`, or give it letters")


class ChoiceJudge:
    """The judge of multiple-choice sets: `correct`, `incorrect` or `incoherent`.

    The forms in which models name an option are those that the field's evaluations of MMLU look for (Hendrycks et al.
    2021, arXiv 2009.03300; Wang et al. 2024, arXiv 2406.01574): a box, a stated answer, a letter at the beginning.
    """

    rules = json_digest(
        {
            "version": RULES_VERSION,
            "reading": READING,
            "patterns": [pattern.pattern for pattern in (_BOXED, _STATED, _OPENING, _ALONE, _LISTED, _ANSWER)],
            "layout": [pattern.pattern for pattern in (_ANSWER_TAG, _TAG, _QUOTE)],
        }
    )

    def judge(self, prompt: Prompt, completion: Completion) -> Judgement:
        """Return whether the completion chooses the prompt's answer.

        Raises:
            CheckFailed: the prompt's answer is not a letter from A to J.
        """
        expected = option_letter(prompt.answer)
        if expected is None:
            raise CheckFailed.of(f"prompt {prompt.id}", f"has {_NO_LETTER.what}", _NO_LETTER.remedy)
        rule = _rule(expected, completion.text)
        return Judgement(prompt_id=prompt.id, verdict=Verdict(rule.partition(":")[0]), rule=rule)


def option_letter(answer: str | None) -> str | None:
    """Return the letter that an answer is, such as `C`, `(c)` or `C.`, or None where it is anything else."""
    match = _ANSWER.fullmatch(answer.strip()) if answer is not None else None
    return match.group(1).upper() if match else None


def _rule(expected: str, given: str) -> str:
    """Return the rule that decides, as `VERDICT:REASON`."""
    # "stop": an answer that was cut off after its first words is still right or wrong.
    if rule := incoherence(plain(given), "stop"):
        return rule
    text = "\n".join(_lines(given))
    for reason, pattern in (("boxed", _BOXED), ("stated", _STATED)):
        if found := pattern.findall(text):
            return _verdict(expected, found[-1], reason)
    echoes = len(set(_LISTED.findall(text))) > 1
    if (opening := _OPENING.search(text)) and not echoes:
        return _verdict(expected, opening.group(1), "opening")
    alone = set(_ALONE.findall(text))
    if len(alone) > 1:
        return "incorrect:several-letters"
    return _verdict(expected, alone.pop(), "alone") if alone else "incorrect:no-letter"


def _lines(text: str) -> Iterator[str]:
    """Yield the lines that hold anything, in one form and without marks, their white space collapsed."""
    untagged = _TAG.sub(" ", _ANSWER_TAG.sub("answer: ", uniform(text)))
    for line in _QUOTE.sub(" ", untagged).translate(_MARKUP).splitlines():
        if bare := " ".join(line.split()):
            yield bare


def _verdict(expected: str, chosen: str, reason: str) -> str:
    return f"{'correct' if chosen.upper() == expected else 'incorrect'}:{reason}"


KIND = JudgeKind(
    name="choice",
    about="the letter of the right option",
    evaluation="capability",
    method="by the letter that is chosen",
    caveat="looks for the letter of an option: an answer that names the option by its words alone counts as wrong.",
    make=lambda _settings, _answers: ChoiceJudge(),
    needs="the letter of the right option, A to J, with each prompt",
    lack=lambda prompt: _NO_LETTER if option_letter(prompt.answer) is None else None,
)
