"""The file of a redaction key: 64 hexadecimal digits on one line, readable by its owner alone."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from kit.bundle.signing.keys import read_private_file, write_new_file
from kit.core.errors import CheckFailed, OperationalError
from kit.review.redact.commitment import KEY_BYTES, RedactionKey

if TYPE_CHECKING:
    from pathlib import Path

_LINE = re.compile(rb"[0-9a-f]{64}\n?")


def read_redaction_key(path: Path) -> RedactionKey:
    """Read a key.

    Raises:
        CheckFailed: it is not a redaction key, or others than its owner may read it.
        OperationalError: it cannot be read.
    """
    data = read_private_file(path, "check the name; `kit redact` makes a key where there is none")
    if not _LINE.fullmatch(data):
        raise CheckFailed.of(path, "is not a redaction key", f"it holds {2 * KEY_BYTES} hexadecimal digits on one line")
    return RedactionKey(bytes.fromhex(data.decode()))


def make_redaction_key(path: Path) -> RedactionKey:
    """Make a key, from the system's source of randomness.

    Raises:
        OperationalError: the file exists, or cannot be written.
    """
    key = RedactionKey(os.urandom(KEY_BYTES))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_new_file(path, f"{key.secret.hex()}\n".encode(), 0o600)
    except OSError as error:
        raise OperationalError.of(
            path, f"cannot be written ({error.strerror})", "name another file with --key"
        ) from error
    return key
