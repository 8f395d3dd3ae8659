"""`kit report`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to write it; default: stdout.")
def command(bundle: Path, out: Path | None) -> None:
    """Write the HTML report of a bundle again, from its rows."""
    from kit.bundle.archive import open_bundle
    from kit.bundle.contents import load_contents
    from kit.bundle.files import folder_results_digest
    from kit.report.html import render
    from kit.stats.metrics import compute

    with open_bundle(bundle) as folder:
        contents = load_contents(folder)
        text = render(contents, compute(contents), results_digest=folder_results_digest(folder))
    if out is None:
        click.echo(text.encode(), nl=False)
        return
    out.write_text(text, encoding="utf-8", newline="\n")
    click.echo(f"wrote {out}", err=True)
