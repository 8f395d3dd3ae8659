"""`kit extract`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.present import errors_as_json, json_option, show_json
from kit.errors import Problem, Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command("extract")
@click.argument("paper", metavar="PAPER.pdf", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder; default: this one."
)
@click.option("--replace", is_flag=True, help="Replace files that are there and say something else.")
@json_option
def command(paper: Path, out: Path, *, replace: bool, as_json: bool) -> None:
    """Take what `kit attach` embedded out of a PDF, byte for byte."""
    from kit.manifest.places import Places
    from kit.papers.evidence import of_attachments
    from kit.papers.process import attachments

    with errors_as_json(as_json=as_json):
        evidence = of_attachments(attachments(paper), paper, Places(out))
        files = {out / name: data for name, data in evidence.files.items()}
        _write(files, replace=replace)
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


def _write(files: Mapping[Path, bytes], *, replace: bool) -> None:
    """Write files, or none where one that is there would be lost."""
    others = [path for path, data in files.items() if path.exists() and path.read_bytes() != data]
    if others and not replace:
        raise Trouble(
            Problem(str(path), "is there and says something else", "--replace replaces it") for path in others
        )
    for path, data in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        click.echo(f"wrote {path}", err=True)
