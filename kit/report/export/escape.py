"""Text from a stranger as LaTeX sets it: every character stands for itself, none becomes a command."""

from __future__ import annotations

import re

_OUTSIDE = re.compile("[^\n\t -~]")
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_\allowbreak{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # By number: babel gives these two a meaning in some languages, and pairs of them are ligatures.
    '"': r"\char34{}",
    "`": r"\char96{}",
    "-": "-{}",
    "/": r"/\allowbreak{}",
    "\n": " ",
    "\t": " ",
}
_TRANSLATION = str.maketrans(_SPECIAL)
_DIGITS_UNBROKEN = 4


def escaped(text: str) -> str:
    """Return text for LaTeX, in ASCII; what is no printable ASCII is named, as `[U+6F22]`.

    No encoding or font is relied on: pdfLaTeX stops at most characters that a document did not prepare for.
    """
    return _OUTSIDE.sub(lambda match: f"[U+{ord(match[0]):04X}]", text).translate(_TRANSLATION)


def typewritten(text: str) -> str:
    """Return a name as the manifest has it, for LaTeX."""
    return rf"\texttt{{{escaped(text)}}}"


def breakable(digest: str) -> str:
    """Return a digest for LaTeX that may be broken between lines, without a hyphen."""
    kind, _, digits = digest.rpartition(":")
    parts = [digits[start : start + _DIGITS_UNBROKEN] for start in range(0, len(digits), _DIGITS_UNBROKEN)]
    return r"\allowbreak{}".join([f"{escaped(kind)}:", *map(escaped, parts)])
