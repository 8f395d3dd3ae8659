"""`kit verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.present import errors_as_json, json_option, show_json

if TYPE_CHECKING:
    from kit.canonical import Json


@click.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--signer", help="Who should have signed: a fingerprint, a public key, or a file of public keys.")
@click.option(
    "--opened",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Records that `kit redact --open` revealed, to hold against the bundle's commitments.",
)
@json_option
def command(bundle: Path, signer: str | None, opened: Path | None, *, as_json: bool) -> None:
    """Check signatures and files, and compute every number again."""
    from kit.signer.signers import read_signers
    from kit.verify import verify

    with errors_as_json(as_json=as_json):
        found = verify(bundle, None if signer is None else read_signers(signer))
        revealed = _opened(bundle, opened) if opened else 0
    if as_json:
        document = {**asdict(found), "redaction": found.redaction.to_json() if found.redaction else None}
        said: dict[str, Json] = {**document, "unchecked": list(found.unchecked), "opened": revealed}
        show_json({"ok": True, "identity": found.identity(), **said})
        return
    click.echo(found.identity())
    click.echo(f"{found.files} files as signed, {found.numbers} numbers and {found.verdicts} verdicts computed again")
    for sentence in found.unchecked:
        click.echo(f"not checked: {sentence}")
    if revealed:
        click.echo(f"{revealed} opened records are those that the bundle commits to")
    if origin := found.redaction:
        click.echo(f"redacted: it says that it was made of {origin.original}, signed by {origin.signed_by}")
    click.echo(f"results digest: {found.results_digest}")


def _opened(bundle: Path, file: Path) -> int:
    """Hold opened records against a bundle that was verified, and return how many there are."""
    from kit.bundle.archive import open_bundle
    from kit.bundle.contents import load_contents
    from kit.canonical import read_json
    from kit.redact.opening import check_opened

    with open_bundle(bundle) as folder:
        return check_opened(load_contents(folder), read_json(file), str(file))
