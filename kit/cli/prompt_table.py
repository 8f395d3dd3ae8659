"""What a model will see, as text: the prompt as it is, then its tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.escaping import on_one_line, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kit.run.preflight.prompt_preview import RenderedPrompt

_WIDTH = 100


def render(shown: Sequence[RenderedPrompt]) -> str:
    """Return one block a way of asking; of text that a stranger wrote, nothing hidden stays hidden."""
    return "\n\n".join("\n".join(_block(one)) for one in shown)


def _block(one: RenderedPrompt) -> Iterator[str]:
    yield f"{one.evaluation} ({', '.join(one.arms)}): prompt {on_one_line(one.prompt_id)}, {len(one.tokens)} tokens"
    yield from (f"  | {line}" for line in visible(one.text).split("\n"))
    yield from _wrapped([f"{token}:{on_one_line(text)}" for token, text in one.tokens])
    name, length = one.longest
    yield f"  the longest of {one.prompts} prompts, {on_one_line(name)}, has {length} tokens"
    yield from (f"  PROBLEM: {on_one_line(problem)}" for problem in one.problems)
    yield from (f"  note: {note}" for note in one.notes)


def _wrapped(words: Sequence[str]) -> Iterator[str]:
    line = " "
    for word in words:
        if len(line) + 1 + len(word) > _WIDTH and line.strip():
            yield line
            line = " "
        line = f"{line} {word}"
    yield line
