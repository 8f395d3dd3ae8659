"""One line of a file of public keys: `.pub`, or an entry of allowed_signers (ssh-keygen(1), ALLOWED SIGNERS)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kit.bundle.signing.sshsig import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_TYPE = re.compile(r"(?:sk-)?(?:ssh|ecdsa)-[a-z0-9-]+(?:@openssh\.com)?")
"""What the first word of a public key looks like, whatever the kind of key."""
_WORD = re.compile(r'((?:[^ \t"]|"(?:[^"\\]|\\.)*")+)(?:[ \t]+|$)')
"""Spaces and tabs part words, as for ssh-keygen, and nothing else that Unicode calls white space."""
_MOST_WORDS = 4
"""Principals, options, kind, key."""
_OPTION = re.compile(r'([A-Za-z-]+)(?:="((?:[^"\\]|\\.)*)")?(?:,(?=.)|$)')
_TIME = re.compile(r"(\d{8})(\d{4}(?:\d\d)?)?(Z?)")
_VALUED = frozenset({"namespaces", "valid-after", "valid-before"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A public key, and what is said of it."""

    kind: str
    """Such as `ssh-ed25519`."""
    key: str
    """In base64."""
    principals: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    """By their names in small letters."""

    def refusal(self, at: datetime) -> str:
        """Return why this entry does not let its key sign bundles at a time; nothing where it does.

        Raises:
            ValueError: a time is none.
        """
        after, before = (self.options.get(name) for name in ("valid-after", "valid-before"))
        if "cert-authority" in self.options:
            return "bundles are not signed with certificates"
        if not _matches(NAMESPACE, self.options.get("namespaces", "*")):
            return f"its namespaces do not include {NAMESPACE}"
        if any(time is not None and not time.endswith("Z") for time in (after, before)):
            return "its times depend on a time zone; write them in UTC, with a Z behind"
        if after is not None and at < _time(after):
            return f"it is valid only after {after}"
        if before is not None and at > _time(before):
            return f"it was valid until {before}, and no signature says when it was made"
        return ""


def parse_line(line: str) -> Entry:
    """Read `[PRINCIPALS [OPTIONS]] KIND BASE64 [COMMENT]`.

    Raises:
        ValueError: it is not such a line, or has options that nobody knows.
    """
    words = _words(line)
    place = next((index for index, word in enumerate(words[:3]) if KEY_TYPE.fullmatch(word)), None)
    if place is None or place + 1 >= len(words):
        raise ValueError("is not a line with a public key")
    principals = words[0].strip('"') if place else ""
    return Entry(words[place], words[place + 1], principals, _options(words[1]) if place > 1 else {})


def _words(line: str) -> list[str]:
    """Return the words of a line up to the key; what comes after it is a comment, and may hold anything."""
    words: list[str] = []
    end = len(line) - len(line.lstrip(" \t"))
    while len(words) < _MOST_WORDS and (match := _WORD.match(line, end)):
        words.append(match[1])
        end = match.end()
    return words


def _options(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    end = 0
    while match := _OPTION.match(text, end):
        name, value = match[1].lower(), match[2]
        known = value is not None if name in _VALUED else name == "cert-authority" and value is None
        if not known or name in found:
            break
        found[name] = (value or "").replace('\\"', '"')
        end = match.end()
        if end == len(text):
            return found
    raise ValueError(f"has the option {text[end:]!r}, which cannot be honoured")


def _matches(name: str, patterns: str) -> bool:
    """Tell whether a name matches a pattern-list (ssh_config(5)): `*`, `?`, and `!` before what must not match."""
    found = False
    for pattern in patterns.split(","):
        plain = re.sub(r"\*+", "*", pattern.removeprefix("!"))  # several mean one, and would take long to try
        expression = re.escape(plain).replace(r"\*", ".*").replace(r"\?", ".")
        if re.fullmatch(expression, name):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _time(text: str) -> datetime:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"has {text!r}, which is not a time as ssh-keygen writes it")
    year, month, day = int(match[1][:4]), int(match[1][4:6]), int(match[1][6:])
    clock = (match[2] or "").ljust(6, "0")
    try:
        return datetime(year, month, day, int(clock[:2]), int(clock[2:4]), int(clock[4:]), tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"has {text!r}, which is no day or hour") from error
