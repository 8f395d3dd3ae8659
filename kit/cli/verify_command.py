"""`kit verify`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.present import errors_as_json, json_option, show_json
from kit.visible import on_one_line

if TYPE_CHECKING:
    from kit.canonical import Json
    from kit.signer.signers import Signers


@click.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--signer", help="Who should have signed: a fingerprint, a public key, or a file of public keys.")
@json_option
def command(bundle: Path, signer: str | None, *, as_json: bool) -> None:
    """Check signatures and files, and compute every number again."""
    from kit.verify import verify

    with errors_as_json(as_json=as_json):
        signers = _named(signer)
        found = verify(bundle, signers)
    if as_json:
        lists: dict[str, Json] = {"unchecked": [*found.unchecked], "notes": [*(signers.notes if signers else ())]}
        show_json({"ok": True, "identity": found.identity(), **asdict(found), **lists})
        return
    click.echo(found.identity())
    click.echo(f"{found.files} files as signed, {found.numbers} numbers and {found.verdicts} verdicts computed again")
    for sentence in found.unchecked:
        click.echo(f"not checked: {sentence}")
    click.echo(f"results digest: {found.results_digest}")


def _named(signer: str | None) -> Signers | None:
    """Return the keys that the user named, and tell what was passed over in their file."""
    from kit.signer.signers import read_signers

    if signer is None:
        return None
    signers = read_signers(signer, datetime.now(UTC))
    for note in signers.notes:
        click.echo(on_one_line(note), err=True)
    return signers
