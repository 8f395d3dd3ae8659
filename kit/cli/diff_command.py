"""`kit diff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.present import errors_as_json, json_option, show_json

if TYPE_CHECKING:
    from kit.review.redact.commitment import RedactionKey

GRADES = ("bitwise", "tokens", "verdicts", "equivalent")


@click.command("diff")
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option(
    "--require", type=click.Choice(GRADES), default="equivalent", show_default=True, help="Lowest grade for exit 0."
)
@click.option(
    "--margin", type=click.FloatRange(0, 1, min_open=True), help="Largest difference of a rate that is still the same."
)
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the comparison as a page, too.")
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Redaction key, to compare texts that one of the bundles withholds.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    a: Path,
    b: Path,
    require: str,
    margin: float | None,
    key: Path | None,
    html: Path | None,
    *,
    as_json: bool,
) -> None:
    """Compare two bundles: the grade, why, and what differs.

    What differs beside the results stands with the likeliest cause first.
    """
    from kit.cli.compared import compare_and_render
    from kit.review.diff.document import to_json
    from kit.review.diff.grade import Grade
    from kit.review.diff.text import render

    with errors_as_json(as_json=as_json):
        comparison, page = compare_and_render(a, b, margin, _read(key) if key else None, html=html is not None)
    if html is not None:
        html.write_text(page, encoding="utf-8", newline="\n")
        click.echo(f"wrote {html}", err=True)
    if as_json:
        show_json(to_json(comparison))
    else:
        click.echo(render(comparison))
    ctx.exit(0 if comparison.agrees(Grade(require)) else 1)


def _read(key: Path) -> RedactionKey:
    from kit.review.redact.key import read_redaction_key  # brings cryptography, which most comparisons do without

    return read_redaction_key(key)
