"""Text from a stranger as Markdown shows it: every character stands for itself, none becomes markup or a link."""

from __future__ import annotations

import re

from kit.core.escaping import visible

_SPECIAL = re.compile(r"([\\`*_\[\]<>&|~#$!@])|(?<=[A-Za-z])(:)(?=//)|(?<=\bwww)(\.)", re.IGNORECASE)
"""CommonMark 0.31.2 section 2.4: any of these may be escaped. GitHub's flavour links bare addresses as well."""


def marked(text: str) -> str:
    """Return text for the middle of a line of Markdown."""
    return _SPECIAL.sub(lambda match: f"\\{match[0]}", visible(" ".join(text.split())))
