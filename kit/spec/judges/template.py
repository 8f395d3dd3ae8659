"""What a judge's model is asked: a text with places for the prompt and the completion."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.core.rows import Completion, Prompt

PLACES = ("prompt", "completion", "category")
_PLACE = re.compile(r"\{(\w+)\}")
"""Any other brace is text: rubrics quote JSON and LaTeX."""


def template_problems(template: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a template, and what to do about it."""
    names = _PLACE.findall(template)
    if "completion" not in names:
        yield "has no place for the completion", "write {completion} where it goes"
    for name in dict.fromkeys(names):
        if name not in PLACES:
            yield f"{{{name}}} is no known place", f"there are: {', '.join(f'{{{place}}}' for place in PLACES)}"


def fill(template: str, prompt: Prompt, completion: Completion) -> str:
    """Return the question about one completion.

    All places are filled at once: a completion that reads `{prompt}` stays as it is.
    """
    values = {"prompt": prompt.text, "completion": completion.text, "category": prompt.category}
    return _PLACE.sub(lambda match: values[match[1]], template)
