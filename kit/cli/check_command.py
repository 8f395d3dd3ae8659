"""`kit check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from kit.cli.differences import show_differences
from kit.cli.present import errors_as_json, json_option, problems_json, show_json, show_problems, show_warnings

if TYPE_CHECKING:
    from kit.core.canonical import Json
    from kit.run.preflight.check import CheckReport
    from kit.run.preflight.forecast import Forecast
    from kit.run.preflight.prompt_preview import RenderedPrompt
    from kit.spec.manifest.load import LoadedManifest


@click.command("check")
@click.argument("manifest", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), help="Folder of the manifest's paths.")
@click.option("--strict", is_flag=True, help="Let a difference of environment count as a problem.")
@click.option("--plan", "with_plan", is_flag=True, help="Print the cells and what will be run, shared, done already.")
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    help="With --plan or --rehearse: where `kit reproduce --store` finds finished steps; else those of a cut-off run.",
)
@click.option(
    "--resources", "with_resources", is_flag=True, help="Print what each step needs of which device, and all lengths."
)
@click.option(
    "--accelerator",
    "planned",
    type=click.FloatRange(min=0, min_open=True),
    multiple=True,
    metavar="GIB",
    help="Estimate for an accelerator with so much memory, not for what is here; once for each.",
)
@click.option("--rehearse", is_flag=True, help="Do one small step of the whole way, as `kit reproduce` does first.")
@click.option("--show-prompt", is_flag=True, help="Print what the model will see, token by token; needs torch.")
@json_option
@click.pass_context
def command(  # noqa: PLR0913 - one for each option
    ctx: click.Context,
    manifest: Path,
    root: Path | None,
    store: Path | None,
    planned: tuple[float, ...],
    *,
    strict: bool,
    with_plan: bool,
    with_resources: bool,
    rehearse: bool,
    show_prompt: bool,
    as_json: bool,
) -> None:
    """Find everything that speaks against a run before it starts.

    Looks at the manifest's form, every file's digest, the rows, the judges, memory, context length and disk, and lists
    how this environment differs from the one that was pinned. Of the Hub it only asks what is not here yet.
    """
    from kit.cli.environ import environment, places
    from kit.cli.fetch_command import absence_problems
    from kit.cli.resources import lacking_here, planned_resources
    from kit.run.preflight.check import check
    from kit.spec.manifest.load import load_manifest

    if store and not (with_plan or rehearse):
        raise click.UsageError("--store belongs to --plan and --rehearse")
    with errors_as_json(as_json=as_json):
        loaded = load_manifest(manifest, places(root or manifest.parent))
        switches = loaded.manifest.environment["switches"]
        here = environment(switches)  # type: ignore[arg-type]  # the schema guards it
        absent = absence_problems(loaded)
        report = check(loaded, here, absent)
        # What is planned for another machine is looked at there.
        lacking = [] if planned else lacking_here(loaded, here)
        fitted = (
            None if report.problems else planned_resources(loaded, here, planned, ctx.obj, is_counted=with_resources)
        )
        report.problems.extend([*lacking, *(fitted.problems if fitted else [])])
        forecast = _forecast(loaded, here, store) if with_plan and not report.problems else None
        shown = _shown(ctx, loaded, here) if show_prompt and not report.problems else []
        rehearsal = _rehearsed(ctx, loaded, here, store) if rehearse and not report.problems else None
    unasked = any(one.problems for one in shown)
    bad = bool(report.problems) or unasked or (strict and bool(report.differences))
    code = 2 if absent or lacking else int(bad)
    if as_json:
        document = _document(report, ok=not bad)
        if with_plan:
            document["plan"] = forecast.to_json() if forecast else None
        document["resources"] = fitted.to_json() if fitted else None
        if rehearse:
            document["rehearsal"] = rehearsal
        if show_prompt:
            document["prompts"] = [one.to_json() for one in shown]
        show_json(document)
        ctx.exit(code)
    show_problems(report.problems)
    show_differences(report.differences, as_problems=strict)
    show_warnings([*report.notes, *(fitted.warnings if fitted else [])])
    if fitted and with_resources:
        from kit.cli.resource_table import render as render_fit

        click.echo(render_fit(fitted))
    if forecast:
        from kit.cli.plan_table import render

        click.echo(render(forecast))
    if shown:
        from kit.cli.prompt_table import render as render_prompts

        click.echo(render_prompts(shown))
    if not bad:
        asked = ", ".join(f"{count} prompts in {name}" for name, count in report.prompts.items())
        click.echo(f"{manifest}: valid; {asked}; next: kit reproduce {manifest}")
    ctx.exit(code)


def _document(report: CheckReport, *, ok: bool) -> dict[str, Json]:
    differences = [{"field": one.field, "pinned": one.first, "here": one.second} for one in report.differences]
    return {
        "ok": ok,
        "problems": problems_json(report.problems),
        "notes": problems_json(report.notes),
        "differences": [*differences],
    }


def _shown(ctx: click.Context, loaded: LoadedManifest, here: dict[str, Json]) -> list[RenderedPrompt]:
    from kit.cli.backends import chosen_backends
    from kit.run.preflight.prompt_preview import show_prompts

    backends = chosen_backends(ctx.obj, here)
    return show_prompts(loaded, backends, cast("dict[str, str]", here["switches"]))


def _rehearsed(
    ctx: click.Context, loaded: LoadedManifest, here: dict[str, Json], store: Path | None
) -> dict[str, Json]:
    from kit.cli.backends import chosen_backends
    from kit.cli.rehearsing import rehearsed

    backends = chosen_backends(ctx.obj, here)
    return rehearsed(loaded, here, store or _work_folder(loaded), backends)


def _forecast(loaded: LoadedManifest, here: dict[str, Json], store: Path | None) -> Forecast:
    from kit.run.plan import make_plan
    from kit.run.preflight.forecast import forecast
    from kit.run.store import Store

    return forecast(make_plan(loaded, here), Store(store or _work_folder(loaded)))


def _work_folder(loaded: LoadedManifest) -> Path:
    """Return where `kit reproduce` would keep finished steps."""
    from kit.cli.place import BUNDLES, free_name, work_folder

    return work_folder(free_name(BUNDLES, loaded))
