"""A conversation of one question and one answer, which is what the kit trains on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.source.columns import text
from kit.source.interface import RowError

if TYPE_CHECKING:
    from kit.source.interface import Row


def one_exchange(row: Row, column: str, *, speaker: str, said: str, names: tuple[str, str]) -> tuple[str, str]:
    """Return what was asked and answered.

    Args:
        row: the row.
        column: which holds the turns.
        speaker: the field of a turn that says who speaks.
        said: the field of a turn that holds the text.
        names: how the one who asks and the one who answers are called.

    Raises:
        RowError: the conversation is another one, longer ones included: dropping turns would train on something that
            nobody published.
    """
    turns = row.get(column)
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise RowError(f"{column!r} is not a list of turns")
    found = [turn for turn in turns if isinstance(turn, dict)]
    speakers = tuple(text(turn, speaker) for turn in found)
    if speakers != names:
        shown = ", ".join(speakers[:4]) + (", …" if len(speakers) > 4 else "")
        raise RowError(f"{column!r} is not one turn of {names[0]} and one of {names[1]} but {shown or 'empty'}")
    asked, answered = (text(turn, said) for turn in found)
    return asked, answered
