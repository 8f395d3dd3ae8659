"""Where an answer begins, when a model writes down what it thinks before it answers.

Manifests say "answer" of what follows; the marks are those that models write (`MARKERS`).
"""

from __future__ import annotations

import re

MARKERS: tuple[tuple[str, str], ...] = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("<mm:think>", "</mm:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|plamo:begin_think:plamo|>", "<|plamo:end_think:plamo|>"),
    ("<|channel>", "<channel|>"),
    ("<|channel|>", "<|channel|>final<|message|>"),
)
"""What models put before and after their thinking: DeepSeek-R1, Qwen3, GLM, Hunyuan and many others; EXAONE, Seed-OSS,
MiniMax, Magistral, Kimi, Sky-T1, Command A, PLaMo, Gemma 4, gpt-oss. The parsers of vLLM know them one by one."""

_ENDS = {mark: end for start, end in MARKERS for mark in (start, end)}
# The longest first: one mark may begin as another does.
_MARK = re.compile("|".join(map(re.escape, sorted(_ENDS, key=len, reverse=True))))


def answer_of(text: str, answer_after: str | None) -> str | None:
    """Return the answer within what a model wrote: what follows the last `answer_after`, leading white space dropped.

    All of it where nothing is to be looked for; None where the marker is not there: the thinking did not end.
    """
    if answer_after is None:
        return text
    _, marker, answer = text.rpartition(answer_after)
    return answer.lstrip() if marker else None


def marked_thinking(text: str) -> str | None:
    """Return the end of thinking, as `answer_after` would name it, of the first mark in a text; None without one.

    A beginning counts as well: thinking that was cut off has no end.
    """
    found = _MARK.search(text)
    return _ENDS[found.group()] if found else None
