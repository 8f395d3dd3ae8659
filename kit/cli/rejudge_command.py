"""`kit rejudge`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from kit.cli.present import errors_as_json, json_option, key_option, show_json, show_notices, show_verified
from kit.core.errors import OperationalError

if TYPE_CHECKING:
    from kit.run.executor import Backends
    from kit.run.pipeline import Outcome
    from kit.spec.manifest.load import LoadedManifest


@click.command("rejudge")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--judge",
    "judges",
    metavar="NAME=FILE",
    multiple=True,
    required=True,
    help="A new judge: its name, and a JSON file with its entry as in a manifest's `judges`; may be repeated.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for the bundle; its zip goes beside it."
)
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder of the judges' paths; default: the current one.",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    help="Share finished steps with other runs through this folder.",
)
@key_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    bundle: Path,
    judges: tuple[str, ...],
    out: Path | None,
    root: Path,
    store: Path | None,
    key: str | None,
    *,
    as_json: bool,
) -> None:
    """Let another judge judge a bundle's completions.

    Nothing is generated again: the completions stay byte for byte, the old verdicts too. Writes and signs a new bundle,
    whose manifest has the new judges and which names the original by its results digest.
    """
    from kit.bundle import layout
    from kit.bundle.archive import open_bundle
    from kit.report.notices import notices
    from kit.report.results import Results
    from kit.review.verify import verify

    with errors_as_json(as_json=as_json):
        show_verified(verify(bundle))
        with open_bundle(bundle) as folder:
            named = [_named(judge) for judge in judges]
            loaded = _with_judges(folder / layout.MANIFEST, named, root)
            asks = any(loaded.manifest.judges[name].asked for name, _ in named)
            outcome = _rejudge(folder, loaded, out, store, key, ctx.obj, asks=asks)
    if as_json:
        show_json(
            {
                "ok": True,
                "bundle": str(outcome.folder),
                "archive": str(outcome.archive),
                "results_digest": outcome.results_digest,
                "signed_by": outcome.fingerprint,
                "steps": outcome.steps,
                "reused": outcome.reused,
            }
        )
        return
    show_notices(notices(Results(loaded.manifest, outcome.metrics), loaded.arms))
    click.echo(f"bundle: {outcome.folder} and {outcome.archive}, signed by {outcome.fingerprint}")
    click.echo(f"read:   {outcome.folder / 'report.html'}")
    click.echo(f"results digest: {outcome.results_digest}")


def _named(judge: str) -> tuple[str, Path]:
    name, equals, file = judge.partition("=")
    if not (name and equals and file):
        raise OperationalError.of("--judge", f"{judge!r} is not NAME=FILE", "for example --judge llm=judge.json")
    return name, Path(file)


def _with_judges(manifest: Path, judges: list[tuple[str, Path]], root: Path) -> LoadedManifest:
    """Return the bundle's manifest with the new judges in it."""
    from kit.cli.environ import hub, places
    from kit.core.canonical import read_json
    from kit.spec.manifest.added_judge import with_judge
    from kit.spec.manifest.load import loaded

    document = cast("dict[str, Any]", read_json(manifest))
    for name, file in judges:
        document = with_judge(document, name, read_json(file), places(root), str(file), hub())
    return loaded(manifest, places(root), document)


def _rejudge(
    folder: Path,
    loaded: LoadedManifest,
    out: Path | None,
    store: Path | None,
    key: str | None,
    backends: Backends | None,
    *,
    asks: bool,
) -> Outcome:
    """Write the bundle; `asks` says whether a new judge asks a model."""
    from kit.cli.backends import chosen_backends
    from kit.cli.environ import environment, inherited_variables, signer
    from kit.cli.place import bundle_place, passing_note, require_temporary_folder
    from kit.cli.progress import shown_progress
    from kit.run.rejudge import rejudge
    from kit.run.store import Store

    here = environment()
    if asks:
        backends = chosen_backends(backends, here)
    temporary = require_temporary_folder(inherited_variables(), for_kernels=asks and bool(here["accelerators"]))
    target = bundle_place(loaded, out, temporary)
    work = Store(store or target.with_name(target.name + ".work"))
    chosen = signer(key)
    with shown_progress() as progress:
        outcome = rejudge(folder, loaded, here, target, store=work, backends=backends, signer=chosen, progress=progress)
    if store is None:
        work.remove()
    if note := passing_note(target, out):
        click.echo(note, err=True)
    return outcome
