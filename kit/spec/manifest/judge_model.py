"""What a judge of the kind `model` asks, and how its answers are read."""

from __future__ import annotations

from collections.abc import Mapping

from kit.spec.manifest.base import Part
from kit.spec.manifest.parts import EngineLimits, Model, Source


class JudgeModel(Part, frozen=True, kw_only=True):
    """A model that is asked for its verdict, always greedily."""

    model: Model
    template: Source
    """One text file, with `{prompt}`, `{completion}` and `{category}` where they go."""
    chat: bool
    """Whether the filled template is put as a user's message into the model's own chat template, or asked as it is."""
    read: str
    """`whole`, `first_line` or `last_line`: which part of the answer is looked up."""
    answers: Mapping[str, str]
    """What the model may answer → the verdict that it means."""
    max_tokens: int
    engine: EngineLimits
