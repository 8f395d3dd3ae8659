"""How a conversation becomes one text: what crosses to the process that does it."""

from __future__ import annotations

from typing import Any

import msgspec


class ChatTemplate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A template and all that it is filled in with beside the conversation."""

    file: str | None = None
    """In place of the tokenizer's own."""
    date: str | None = None
    """The day that it is to the template, `YYYY-MM-DD`; None for one that reads no clock."""
    arguments: dict[str, Any] = {}
    """As the manifest's `chat_template_kwargs`."""
