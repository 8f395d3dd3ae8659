"""Conversations, as chat interfaces, ShareGPT, Axolotl and TRL write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.spec.data.columns import any_text, refuse_unread, text
from kit.spec.data.interface import RowError, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.core.canonical import Json
    from kit.spec.data.interface import Row

ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "model": "assistant",
}
"""What the sides are called in published data, and what they are."""
UNREAD = ("tools", "chat_template_kwargs")
"""Columns beside a conversation that would change what the model reads."""
_UNREAD_OF_A_TURN = (
    *("tool_calls", "tool_call_id", "function_call"),
    *("reasoning_content", "thinking", "images", "audio", "train_detail"),
)


def conversation(row: Row, column: str) -> tuple[Turn, ...]:
    """Return the turns of a row; a text in its column `system` comes before them.

    Raises:
        RowError: it is no conversation of these sides, or has nothing to learn.
    """
    found = turns(row, column)
    system = row.get("system")
    if system not in (None, ""):
        if found[0].role == "system":
            raise RowError("has a system message among its turns and another in 'system'", "remove one")
        found = (Turn("system", text(row, "system")), *found)
    if not any(turn.role == "assistant" and turn.is_learned for turn in found):
        raise RowError(f"{column!r} has no turn of the assistant that could be learned", "remove the row")
    return found


def turns(row: Row, column: str) -> tuple[Turn, ...]:
    """Return the turns in a column, whoever speaks.

    Raises:
        RowError: it holds something else, or a side that models are not trained to play.
    """
    refuse_unread(row, UNREAD, "these")
    return tuple(_turns(row.get(column), column))


def _turns(value: Json, column: str) -> Iterator[Turn]:
    if not isinstance(value, list) or not value or not all(isinstance(turn, dict) for turn in value):
        raise RowError(f"{column!r} is not a list of turns")
    for number, turn in enumerate(value, 1):
        assert isinstance(turn, dict)
        try:
            role = _role(turn, number)
            refuse_unread(turn, _UNREAD_OF_A_TURN, "turns of")
            yield Turn(role, _content(turn, role), is_learned=_is_learned(turn))
        except RowError as error:
            raise RowError(f"turn {number} of {column!r}: {error}", error.remedy) from error


def _role(turn: Row, number: int) -> str:
    said = text(turn, "role" if turn.get("role") is not None else "from")
    if said not in ROLES:
        raise RowError(f"{said!r} speaks, who is none of {', '.join(ROLES)}", "remove the row, or the turn")
    role = ROLES[said]
    if role == "system" and number > 1:
        raise RowError("is a system message behind others", "put it first, or remove the row")
    return role


def _content(turn: Row, role: str) -> str:
    """Return what is said, of parts that are texts all that stands in them; a system message may be empty."""
    key = "content" if turn.get("content") is not None else "value"
    said = turn.get(key)
    if isinstance(said, list):
        parts = [part for part in said if isinstance(part, dict) and part.get("type") == "text"]
        if not parts or len(parts) < len(said):
            raise RowError(f"{key!r} has parts that are no text")
        turn = {key: "".join(any_text(part, "text") for part in parts)}
    try:
        return any_text(turn, key) if role == "system" else text(turn, key)
    except RowError as error:
        raise RowError(str(error), "mend it, or remove the row") from error


def _is_learned(turn: Row) -> bool:
    """Return what OpenAI's `weight` and Axolotl's `train` or `training` say of a turn."""
    for key in ("weight", "train", "training"):
        value = turn.get(key)
        if value not in (None, 0, 1, False, True):
            raise RowError(f"{key!r} is neither 0 nor 1")
        if value is not None:
            return bool(value)
    return True
