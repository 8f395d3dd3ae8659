"""Text from a stranger, made safe to look at: what cannot be seen, or reorders what can, is written out.

Prompts, completions, ids and names come from bundles that anybody may have written. On a terminal an escape sequence
could recolour, overwrite or retitle what the reader sees; on a page a direction mark could reverse it.
"""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 controls but tab and line feed
    "\xad\u061c\u180e\u200b\u200e\u200f\u2060-\u2064\ufeff"  # invisible, and the directional marks
    "\u2028\u2029\u202a-\u202e\u2066-\u206f"  # separators; bidirectional embeddings, overrides and isolates (UAX #9)
    "\ufdd0-\ufdef\ufff9-\ufffb\ufffe\uffff\ud800-\udfff"  # noncharacters, annotations, lone surrogates
    "\U000e0000-\U000e007f"  # tags
    "]"
)
"""Listed, not looked up in `unicodedata`, whose tables differ between versions of Python. U+200C and U+200D stay:
Persian, Indic scripts and emoji need them."""


_NO_BREAK = str.maketrans("\u00a0\u202f", "  ")
"""Spaces at which no line breaks, which sentences have before a unit: a terminal shows them as spaces."""


def visible(text: str) -> str:
    """Return the text with every hidden character written as `⟨U+XXXX⟩`; lines and tabs stay."""
    return _HIDDEN.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text)


def on_one_line(text: str) -> str:
    """Return the text fit for one line of a terminal: whatever is not a visible character is escaped."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text.translate(_NO_BREAK)
    )
