"""How every judge reads a text: one form for what looks the same, and whether it says anything at all.

Everything here takes time linear in the text, whatever the text is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.core.canonical import Json

LOOP_REPEATS = 4
LOOP_CHARACTERS = 40
LOOP_SHARE = 0.5
CUT_OFF_WORDS = 5

READING: dict[str, Json] = {
    "version": 1,
    "loop_repeats": LOOP_REPEATS,
    "loop_characters": LOOP_CHARACTERS,
    "loop_share": LOOP_SHARE,
    "cut_off_words": CUT_OFF_WORDS,
}
"""What decides here, for the digest of a judge's rules; raise the version when the code decides differently."""

# Single characters only, and no Unicode normalisation: the standard library's takes quadratic time on runs of
# combining marks, and a stranger writes the text.
_ONE_FORM = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201b\u02bc\u02b9\u2032\uff07\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\uff02", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", None),
    }
)
_MARKUP = str.maketrans(dict.fromkeys("*_#>~|", " "))


def uniform(text: str) -> str:
    """Return the text with plain apostrophes, quotes and dashes and no invisible characters."""
    return text.translate(_ONE_FORM)


def one_form(text: str) -> str:
    """Return the uniform text in lower case."""
    return uniform(text).lower()


def plain(text: str) -> str:
    """Return the text in one form, without Markdown's marks, its white space collapsed to single spaces."""
    return " ".join(one_form(text).translate(_MARKUP).split())


def incoherence(text: str, finish_reason: str) -> str | None:
    """Return the rule by which a `plain` text is no answer at all, or nothing.

    `incoherent:empty`: it holds no letter and no digit. `incoherent:loop`: see `loops`. `incoherent:cut-off`: it was
    cut off before its fifth word was whole. A longer text that was cut off is judged by what it says.
    """
    if not any(map(str.isalnum, text)):
        return "incoherent:empty"
    if loops(text):
        return "incoherent:loop"
    if finish_reason == "length" and text.count(" ") < CUT_OFF_WORDS:
        return "incoherent:cut-off"
    return None


def loops(text: str) -> bool:
    """Return whether the text ends in a loop that makes up at least half of it.

    A loop is a unit of any length, in characters, that stands at least four times in a row up to the very end, over at
    least 40 characters; the first of them may be cut. The unit is found as the smallest period of a suffix, with the
    failure function of Knuth, Morris and Pratt (1977, "Fast pattern matching in strings", section 2) on the reversed
    text: linear in its length.
    """
    backwards = text[::-1]
    border = 0
    borders = [0] * len(backwards)
    for index in range(1, len(backwards)):
        while border and backwards[index] != backwards[border]:
            border = borders[border - 1]
        border += backwards[index] == backwards[border]
        borders[index] = border
    shortest = max(LOOP_CHARACTERS, LOOP_SHARE * len(text))
    return any(
        length >= shortest and length >= LOOP_REPEATS * (length - border) for length, border in enumerate(borders, 1)
    )
