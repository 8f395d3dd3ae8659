"""`kit check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.present import errors_as_json, json_option, problems_json, show_json, show_problems
from kit.visible import on_one_line

if TYPE_CHECKING:
    from kit.environment.compare import Difference

SHOWN_DIFFERENCES = 12
"""How many differences of environment are listed; the rest are counted."""


@click.command("check")
@click.argument("manifest", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), help="Folder of the manifest's paths.")
@click.option("--strict", is_flag=True, help="Let a difference of environment count as a problem.")
@json_option
@click.pass_context
def command(ctx: click.Context, manifest: Path, root: Path | None, *, strict: bool, as_json: bool) -> None:
    """Find everything that speaks against a run before it starts.

    Looks at the manifest's form, every file's digest, the rows, the judges, memory and disk, and lists how this
    environment differs from the one that was pinned.
    """
    from kit.cli.here import environment
    from kit.manifest.check import check
    from kit.manifest.load import load_manifest

    with errors_as_json(as_json=as_json):
        loaded = load_manifest(manifest, root)
        switches = loaded.manifest.environment["switches"]
        report = check(loaded, environment(switches), Path())  # type: ignore[arg-type]  # the schema guards it
    bad = bool(report.problems) or (strict and bool(report.differences))
    if as_json:
        differences = [{"field": one.field, "pinned": one.first, "here": one.second} for one in report.differences]
        show_json({"ok": not bad, "problems": problems_json(report.problems), "differences": [*differences]})
        ctx.exit(int(bad))
    show_problems(report.problems)
    show_differences(report.differences, as_problems=strict)
    if not bad:
        asked = ", ".join(f"{count} prompts in {name}" for name, count in report.prompts.items())
        click.echo(f"{manifest}: valid; {asked}; next: kit reproduce {manifest}")
    ctx.exit(int(bad))


def show_differences(differences: list[Difference], *, as_problems: bool) -> None:
    """Say on stderr how this environment differs from the pinned one."""
    if not differences:
        return
    effect = "with --strict this stops a run" if as_problems else "bytes may differ, a run is not stopped"
    click.echo(f"this environment differs from the pinned one ({effect}):", err=True)
    for one in differences[:SHOWN_DIFFERENCES]:
        click.echo(difference_line(one), err=True)
    if len(differences) > SHOWN_DIFFERENCES:
        click.echo(f"  and {len(differences) - SHOWN_DIFFERENCES} more (--json lists all)", err=True)


def difference_line(one: Difference) -> str:
    """Return a difference from the pinned environment on one line."""
    return f"  {one.field}: pinned {_show(one.first)}, here {_show(one.second)}"


def _show(value: object) -> str:
    return "absent" if value is None else on_one_line(str(value))
