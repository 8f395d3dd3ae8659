"""`kit extract`."""

from __future__ import annotations

from pathlib import Path

import click

from kit.cli.present import errors_as_json, json_option, show_json
from kit.core.errors import CheckFailed


@click.command("extract")
@click.argument("paper", metavar="PAPER.pdf", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder; default: this one."
)
@click.option("--replace", is_flag=True, help="Replace files that are there and say something else.")
@click.option("--signer", help="Who should have signed: a fingerprint, a public key, or a file of public keys.")
@json_option
def command(paper: Path, out: Path, signer: str | None, *, replace: bool, as_json: bool) -> None:
    """Take what `kit attach` embedded out of a PDF, byte for byte."""
    from kit.bundle.papers.evidence import of_attachments
    from kit.bundle.papers.process import attachments
    from kit.cli.output import write_files
    from kit.cli.signers import named_signers
    from kit.review.verify import known_as, signer_problem
    from kit.spec.manifest.places import Places

    with errors_as_json(as_json=as_json):
        signers = named_signers(signer)
        evidence = of_attachments(attachments(paper), paper, Places(out))
        if problem := signer_problem(str(paper), evidence.fingerprint, signers):
            raise CheckFailed([problem])
        files = {out / name: data for name, data in evidence.files.items()}
        write_files(files, replace=replace)
    if as_json:
        show_json(
            {
                "ok": True,
                "files": [*map(str, files)],
                "manifest_sha256": evidence.manifest_sha256,
                "results_digest": evidence.results_digest,
                "signed_by": evidence.fingerprint,
                "signer_known": evidence.fingerprint is not None and signers is not None,
            }
        )
        return
    if evidence.fingerprint:
        holder = signers.keys[evidence.fingerprint] if signers else None
        known = known_as(named=signers is not None, holder=holder)
        click.echo(f"signed by {evidence.fingerprint}, {known}; of the bundle only the statement is here")
    click.echo(evidence.footnote())
