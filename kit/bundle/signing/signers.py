"""Whom the user knows: keys that were named to verify against, from any file that holds public keys.

What the user holds is the only anchor of trust. An entry that cannot be honoured as it is written is passed over and
noted, never stretched: what `ssh-keygen -Y verify` would refuse, the kit refuses too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.bundle.signing.allowed import KEY_TYPE, Entry, parse_line
from kit.bundle.signing.public_key import ALGORITHM, fingerprint, from_pem, from_ssh_base64
from kit.core.errors import CheckFailed, OperationalError, Problem
from kit.core.paths import open_at_once

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_MAX_BYTES = 1 << 20
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


@dataclass(frozen=True, slots=True)
class Signers:
    """The keys that were named."""

    keys: Mapping[str, str]
    """By fingerprint, what the file calls their holder: the principals of an allowed_signers entry, else nothing."""
    passed_over: Mapping[str, str]
    """By fingerprint, why an Ed25519 key in the file may not have signed this."""
    notes: tuple[str, ...] = ()
    """What was passed over in the file, in sentences."""


def read_signers(path_or_text: str, at: datetime) -> Signers:
    """Return the Ed25519 keys that are named.

    Takes a fingerprint, a line of a `.pub` file, or the path of a file: `.pub`, PEM, allowed_signers (ssh-keygen(1)),
    or a saved `https://github.com/NAME.keys`. Keys of other kinds are passed over: they cannot have signed.

    Args:
        path_or_text: what was named.
        at: when the keys must be valid: as for ssh-keygen, now. When a bundle was signed, nobody can say.

    Raises:
        CheckFailed: there is no key in it that may sign, or a line that is none; all problems at once.
        OperationalError: the file cannot be read.
    """
    if _FINGERPRINT.fullmatch(path_or_text):
        return Signers({path_or_text: ""}, {})
    if path_or_text.startswith(f"{ALGORITHM.decode()} "):
        return _of_lines(path_or_text, "signer", at)
    data = _read(path_or_text)
    if b"-----BEGIN" in data:
        try:
            return Signers({fingerprint(from_pem(data)): ""}, {})
        except ValueError as error:
            raise CheckFailed.of(path_or_text, "is not an Ed25519 public key in PEM form") from error
    return _of_lines(data.decode(errors="replace"), path_or_text, at)


def _read(path: str) -> bytes:
    try:
        with open_at_once(Path(path)) as stream:
            data = stream.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        remedy = "name a file of public keys, or a fingerprint SHA256:…"
        raise OperationalError.of(path, "cannot be read", remedy) from error
    if len(data) > _MAX_BYTES:
        raise CheckFailed.of(path, f"is larger than {_MAX_BYTES} bytes", "name a file of public keys")
    return data


def _of_lines(text: str, where: str, at: datetime) -> Signers:
    keys: dict[str, str] = {}
    passed_over: dict[str, str] = {}
    notes: list[str] = []
    problems: list[Problem] = []
    # Only a line feed ends a line: what hides behind another separator, ssh-keygen takes for a part of the comment.
    for number, line in enumerate(text.split("\n"), 1):
        entry_text = line.strip(" \t\r")
        if not entry_text or entry_text.startswith("#"):
            continue
        try:
            entry = parse_line(entry_text)
            reason = _why_not(entry, at)
            key = fingerprint(from_ssh_base64(entry.key)) if entry.kind == ALGORITHM.decode() else ""
        except ValueError as error:
            problems.append(Problem(f"{where}:{number}", str(error)))
            continue
        if not reason:
            keys.setdefault(key, entry.principals)
            continue
        notes.append(f"{where}:{number}: passed over, {reason}")
        if key:
            passed_over[key] = reason
    if problems:
        raise CheckFailed(problems)
    if not keys:
        reasons = [Problem(note, "so it names nobody") for note in notes]
        remedy = "bundles are signed with Ed25519"
        raise CheckFailed([*reasons, Problem(where, "holds no Ed25519 public key that may sign bundles", remedy)])
    return Signers(keys, {key: reason for key, reason in passed_over.items() if key not in keys}, tuple(notes))


def _why_not(entry: Entry, at: datetime) -> str:
    """Return why the key of an entry may not sign bundles; nothing where it may."""
    if entry.kind != ALGORITHM.decode():
        assert KEY_TYPE.fullmatch(entry.kind)
        return f"{entry.kind} does not sign bundles"
    return entry.refusal(at)
