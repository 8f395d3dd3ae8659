"""`kit extract`."""

from __future__ import annotations

from pathlib import Path

import click

from kit.cli.present import errors_as_json, json_option, show_json


@click.command("extract")
@click.argument("paper", metavar="PAPER.pdf", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder; default: this one."
)
@click.option("--replace", is_flag=True, help="Replace files that are there and say something else.")
@json_option
def command(paper: Path, out: Path, *, replace: bool, as_json: bool) -> None:
    """Take what `kit attach` embedded out of a PDF, byte for byte."""
    from kit.cli.written import write_files
    from kit.manifest.places import Places
    from kit.papers.evidence import of_attachments
    from kit.papers.process import attachments

    with errors_as_json(as_json=as_json):
        evidence = of_attachments(attachments(paper), paper, Places(out))
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
            }
        )
        return
    if evidence.fingerprint:
        click.echo(f"signed by {evidence.fingerprint}, not known to you; of the bundle only the statement is here")
    click.echo(evidence.footnote())
