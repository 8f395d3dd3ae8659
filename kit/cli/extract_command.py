"""`kit extract`."""

from __future__ import annotations

from pathlib import Path

import click

from kit.errors import Problem, Trouble


@click.command("extract")
@click.argument("paper", metavar="PAPER.pdf", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder; default: this one."
)
@click.option("--replace", is_flag=True, help="Replace files that are there and say something else.")
def command(paper: Path, out: Path, *, replace: bool) -> None:
    """Take what `kit attach` embedded out of a PDF, byte for byte."""
    from kit.papers.evidence import of_attachments
    from kit.papers.process import attachments

    evidence = of_attachments(attachments(paper), paper, out)
    files = {out / name: data for name, data in evidence.files.items()}
    others = [path for path, data in files.items() if path.exists() and path.read_bytes() != data]
    if others and not replace:
        raise Trouble(
            Problem(str(path), "is there and says something else", "--replace replaces it") for path in others
        )
    out.mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        path.write_bytes(data)
        click.echo(f"wrote {path}", err=True)
    if evidence.fingerprint:
        click.echo(f"signed by {evidence.fingerprint}, not known to you; of the bundle only the statement is here")
    click.echo(evidence.footnote())
