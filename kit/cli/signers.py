"""Whom the user names with `--signer`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from kit.core.escaping import on_one_line

if TYPE_CHECKING:
    from kit.bundle.signing.signers import Signers


def named_signers(signer: str | None) -> Signers | None:
    """Return the keys that the user named, and tell what was passed over in their file."""
    from kit.bundle.signing.signers import read_signers

    if signer is None:
        return None
    signers = read_signers(signer, datetime.now(UTC))
    for note in signers.notes:
        click.echo(on_one_line(note), err=True)
    return signers
