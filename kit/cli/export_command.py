"""`kit export`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

_folder = click.Path(path_type=Path, file_okay=False)


@click.command("export")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--latex", type=_folder, help="Folder for numbers.tex, table.tex, methods.tex and references.bib.")
@click.option(
    "--prefix", default="Kit", show_default=True, help="Begins the name of every LaTeX command; letters only."
)
@click.option(
    "--every-eval-ever", type=_folder, help="Folder for a document of the Every Eval Ever schema for each arm."
)
@click.option("--organization", help="Who reports the results; --every-eval-ever needs it.")
@click.option("--replace", is_flag=True, help="Replace files that are there and say something else.")
def command(
    bundle: Path,
    latex: Path | None,
    prefix: str,
    every_eval_ever: Path | None,
    organization: str | None,
    *,
    replace: bool,
) -> None:
    """Write a bundle's numbers for a paper or a leaderboard."""
    from kit.bundle.archive import open_bundle
    from kit.bundle.contents import load_contents
    from kit.bundle.files import folder_results_digest
    from kit.cli.output import write_files
    from kit.report.export.every_eval_ever import documents
    from kit.report.export.latex import latex_files
    from kit.stats.metrics import compute

    if latex is None and every_eval_ever is None:
        raise click.UsageError("nothing to write: give --latex or --every-eval-ever")
    if not re.fullmatch("[A-Za-z]+", prefix):
        raise click.BadParameter("letters only", param_hint="--prefix")
    if every_eval_ever and not organization:
        raise click.UsageError("--every-eval-ever needs --organization: a bundle does not say who reports it")
    with open_bundle(bundle) as folder:
        contents, digest = load_contents(folder), folder_results_digest(folder)
        metrics = compute(contents)
        files: dict[Path, str] = {}
        if latex:
            files |= _inside(latex, latex_files(contents, metrics, digest, prefix))
        if every_eval_ever and organization:
            files |= _inside(every_eval_ever, documents(contents, metrics, digest, organization))
    write_files({path: text.encode() for path, text in files.items()}, replace=replace)


def _inside(folder: Path, texts: Mapping[str, str]) -> dict[Path, str]:
    return {folder / name: text for name, text in texts.items()}
