"""How a conversation becomes one text: what crosses to the process that does it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.core.canonical import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTemplate:
    """A template and all that it is filled in with beside the conversation."""

    file: str | None = None
    """In place of the tokenizer's own."""
    date: str | None = None
    """The day that it is to the template, `YYYY-MM-DD`; None for one that reads no clock."""
    arguments: dict[str, Json] = field(default_factory=dict)
    """As the manifest's `chat_template_kwargs`."""
