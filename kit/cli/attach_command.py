"""`kit attach`."""

from __future__ import annotations

from pathlib import Path

import click

from kit.cli.sources import is_bundle
from kit.core.errors import OperationalError

_file = click.Path(path_type=Path, dir_okay=False)


@click.command("attach")
@click.argument("source", metavar="MANIFEST|BUNDLE", type=click.Path(path_type=Path))
@click.argument("paper", metavar="[PAPER.pdf]", required=False, type=_file)
@click.option("--out", type=_file, help="Where to write; default: PAPER-attached.pdf, and stdout for a checklist.")
@click.option("--checklist", is_flag=True, help="Draft answers for the ACL and NeurIPS checklists instead; no PDF.")
@click.option("--replace", is_flag=True, help="Replace a file that is there, be it the paper itself.")
def command(source: Path, paper: Path | None, out: Path | None, *, checklist: bool, replace: bool) -> None:
    """Embed a manifest, or a bundle's signed statement, in a PDF.

    Prints the line for the paper's footnote. What an earlier `kit attach` put in is replaced, everything else stays as
    it is.
    """
    if checklist == (paper is not None):
        raise click.UsageError("name a PDF to attach to, or give --checklist without one")
    if paper is None:
        _write_checklist(source, out, replace=replace)
    else:
        _attach(source, paper, out or paper.with_name(f"{paper.stem}-attached.pdf"), replace=replace)


def _attach(source: Path, paper: Path, out: Path, *, replace: bool) -> None:
    from kit.bundle.papers.evidence import of_bundle, of_manifest
    from kit.bundle.papers.process import embed

    _require_free(out, replace=replace)
    evidence = of_bundle(source) if is_bundle(source) else of_manifest(source)
    embed(paper, out, evidence.attachments)
    click.echo(f"wrote {out}: {', '.join(evidence.files)}", err=True)
    click.echo(evidence.footnote())


def _write_checklist(bundle: Path, out: Path | None, *, replace: bool) -> None:
    from kit.bundle.archive import open_bundle
    from kit.bundle.contents import load_contents
    from kit.bundle.files import folder_results_digest
    from kit.report.export.checklist import render
    from kit.stats.metrics import compute

    if out:
        _require_free(out, replace=replace)
    with open_bundle(bundle) as folder:
        contents = load_contents(folder)
        text = render(contents, compute(contents), folder_results_digest(folder))
    if out is None:
        click.echo(text.encode(), nl=False)
        return
    out.write_text(text, encoding="utf-8", newline="\n")
    click.echo(f"wrote {out}", err=True)


def _require_free(out: Path, *, replace: bool) -> None:
    if out.exists() and not replace:
        raise OperationalError.of(out, "is there already", "choose another name with --out, or --replace it")
