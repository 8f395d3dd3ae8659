"""`kit verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from kit.cli.present import errors_as_json, json_option, show_json


@click.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--signer", help="Who should have signed: a fingerprint, a public key, or a file of public keys.")
@json_option
def command(bundle: Path, signer: str | None, *, as_json: bool) -> None:
    """Check signatures and files, and compute every number again."""
    from kit.signer.signers import read_signers
    from kit.verify import verify

    with errors_as_json(as_json=as_json):
        found = verify(bundle, None if signer is None else read_signers(signer))
    if as_json:
        document = {**asdict(found), "redaction": found.redaction.to_json() if found.redaction else None}
        show_json({"ok": True, "identity": found.identity(), **document, "unchecked": list(found.unchecked)})
        return
    click.echo(found.identity())
    click.echo(f"{found.files} files as signed, {found.numbers} numbers and {found.verdicts} verdicts computed again")
    for sentence in found.unchecked:
        click.echo(f"not checked: {sentence}")
    if origin := found.redaction:
        click.echo(f"redacted: it says that it was made of {origin.original}, signed by {origin.signed_by}")
    click.echo(f"results digest: {found.results_digest}")
