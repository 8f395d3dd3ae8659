"""What a judge of the kind `model` asks, and how its answers are read, as typed objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.spec.manifest.parts import EngineLimits, Model, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json
    from kit.spec.manifest.parts import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeModel:
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

    @classmethod
    def from_json(cls, document: Document) -> JudgeModel:
        return cls(
            model=Model.from_json(document["model"]),
            template=Source.from_json(document["template"]),
            chat=document["chat"],
            read=document["read"],
            answers=document["answers"],
            max_tokens=document["max_tokens"],
            engine=EngineLimits.from_json(document["engine"]),
        )

    def to_json(self) -> dict[str, Json]:
        return {
            "model": self.model.to_json(),
            "template": self.template.to_json(),
            "chat": self.chat,
            "read": self.read,
            "answers": dict(self.answers),
            "max_tokens": self.max_tokens,
            "engine": self.engine.to_json(),
        }
