"""Values of a bundle, short enough for a line of a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kit.core.escaping import on_one_line

if TYPE_CHECKING:
    from kit.core.canonical import Json


def shortened(text: str, width: int) -> str:
    """Make text fit for a terminal and cut it to a number of characters."""
    safe = on_one_line(text[: width + 1])
    return safe if len(safe) <= width else safe[: width - 1] + "…"


def in_nats(margin: int | None) -> float | None:
    """Return a margin of a token (`kit.core.rows.LogprobMargins`) in nats."""
    return None if margin is None else margin / 1000


def value(value: Json, width: int) -> str:
    """Show a JSON value on one line: text as it is, nothing as a dash, digests by their first digits."""
    if value is None:
        return "—"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    prefix, colon, digits = text.partition(":")
    return shortened(f"{prefix}:{digits[:12]}…" if colon and len(digits) in (32, 64) else text, width)
