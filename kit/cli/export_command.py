"""`kit export`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kit.core.errors import listed
from kit.core.escaping import on_one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.library.table import Table

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
@click.option("--parquet", type=_folder, help="Folder for prompts.parquet, completions.parquet and verdicts.parquet.")
@click.option("--replace", is_flag=True, help="Replace files that are there and say something else.")
def command(
    bundle: Path,
    latex: Path | None,
    prefix: str,
    every_eval_ever: Path | None,
    organization: str | None,
    parquet: Path | None,
    *,
    replace: bool,
) -> None:
    """Write numbers for papers and leaderboards, rows as Parquet."""
    if latex is None and every_eval_ever is None and parquet is None:
        raise click.UsageError("nothing to write: give --latex, --every-eval-ever or --parquet")
    if not re.fullmatch("[A-Za-z]+", prefix):
        raise click.BadParameter("letters only", param_hint="--prefix")
    if every_eval_ever and not organization:
        raise click.UsageError("--every-eval-ever needs --organization: a bundle does not say who reports it")
    if parquet:
        _write_tables(bundle, parquet, replace=replace)
    if latex or every_eval_ever:
        _write_numbers(bundle, latex, every_eval_ever, prefix, organization or "", replace=replace)


def _write_numbers(
    bundle: Path, latex: Path | None, every_eval_ever: Path | None, prefix: str, organization: str, *, replace: bool
) -> None:
    from kit.bundle.archive import open_bundle
    from kit.bundle.contents import load_contents
    from kit.bundle.files import folder_results_digest
    from kit.cli.output import write_files
    from kit.report.export.every_eval_ever import documents
    from kit.report.export.latex import latex_files
    from kit.stats.metrics import compute

    with open_bundle(bundle) as folder:
        contents, digest = load_contents(folder), folder_results_digest(folder)
        metrics = compute(contents)
        files: dict[Path, str] = {}
        if latex:
            files |= _inside(latex, latex_files(contents, metrics, digest, prefix))
        if every_eval_ever:
            files |= _inside(every_eval_ever, documents(contents, metrics, digest, organization))
    write_files({path: text.encode() for path, text in files.items()}, replace=replace)


def _inside(folder: Path, texts: Mapping[str, str]) -> dict[Path, str]:
    return {folder / name: text for name, text in texts.items()}


def _write_tables(bundle: Path, folder: Path, *, replace: bool) -> None:
    from tempfile import TemporaryDirectory

    from kit.cli.output import write_files
    from kit.library.bundle import load
    from kit.review.redact.withhold import not_for_publication

    with load(bundle) as loaded, TemporaryDirectory(prefix="kit-") as private:
        tables: list[Table[Any]] = [loaded.prompts(), loaded.completions(), loaded.verdicts()]
        written = {folder / f"{table.name}.parquet": Path(private) / table.name for table in tables}
        for table, path in zip(tables, written.values(), strict=True):
            table.to_parquet(path)
        notes = [*tables[0].notes]
        kept = sorted({*not_for_publication(loaded.opened.contents.manifest)} - {*loaded.withheld})
        if kept:
            notes.append(f"the texts of {listed(kept)} are in it, which may not be published (`kit redact`)")
        write_files(written, replace=replace)
    for note in notes:
        click.echo(f"note: {on_one_line(note)}", err=True)
