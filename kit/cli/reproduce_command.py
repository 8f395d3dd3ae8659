"""`kit reproduce`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.backends import chosen_backends
from kit.cli.differences import show_differences
from kit.cli.present import (
    errors_as_json,
    json_option,
    key_option,
    show_json,
    show_notices,
    show_verified,
    show_warnings,
)
from kit.cli.sources import is_bundle, is_paper, paper_evidence
from kit.core.errors import CheckFailed

if TYPE_CHECKING:
    from kit.review.diff.compare import Comparison
    from kit.run.executor import Backends
    from kit.run.pipeline import Outcome
    from kit.run.store import Store
    from kit.spec.manifest.load import LoadedManifest


@click.command("reproduce")
@click.argument("source", metavar="MANIFEST|BUNDLE|PAPER.pdf", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for the bundle; its zip goes beside it."
)
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), help="Folder of the manifest's paths.")
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    help="Share finished steps with other runs through this folder.",
)
@key_option
@click.option(
    "--rehearsal/--no-rehearsal",
    "rehearse",
    default=True,
    help="First do one small step of the whole way, so that what fails does so at once; the record says whether.",
)
@click.option("--strict", is_flag=True, help="Stop when this environment differs from the pinned one.")
@json_option
@click.pass_context
def command(  # noqa: PLR0913 - one for each option
    ctx: click.Context,
    source: Path,
    out: Path | None,
    root: Path | None,
    store: Path | None,
    key: str | None,
    *,
    rehearse: bool,
    strict: bool,
    as_json: bool,
) -> None:
    """Run a manifest and sign what comes out; compare a rerun.

    A draft is pinned first, as `kit pin` does. Given a bundle, runs its manifest again and compares the two; given a
    PDF, the manifest that `kit attach` put there.

    A run that was cut off is resumed by the same command. Finished steps are kept beside the bundle while it is being
    made, and belong to this run alone unless --store names a folder to share.
    """
    from kit.cli.place import require_mounted

    with errors_as_json(as_json=as_json):
        require_mounted(source)
        wanted = _Wanted(out=out, store=store, key=key, backends=ctx.obj, rehearse=rehearse, strict=strict)
        comparison, stated = None, None
        if is_bundle(source):
            outcome, comparison, loaded = _rerun(source, root, wanted)
        else:
            loaded, stated = _from_paper(source, root) if is_paper(source) else (_load(source, root), None)
            outcome = _run(loaded, wanted)
    agrees = _conclude(loaded, outcome, comparison, stated, as_json=as_json)
    ctx.exit(0 if agrees else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """How a run is wanted: the options, and the tests' backends."""

    out: Path | None
    store: Path | None
    key: str | None
    backends: Backends | None
    rehearse: bool
    strict: bool


def _rerun(source: Path, root: Path | None, wanted: _Wanted) -> tuple[Outcome, Comparison, LoadedManifest]:
    """Verify a bundle, run its manifest again and compare the two."""
    from kit.bundle import layout
    from kit.bundle.archive import open_bundle
    from kit.cli.compared import compare_bundles
    from kit.review.verify import verify

    show_verified(verify(source))
    with open_bundle(source) as folder:
        loaded = _load(folder / layout.MANIFEST, root or Path())
        outcome = _run(loaded, wanted)
    return outcome, compare_bundles(source, outcome.folder), loaded


def _from_paper(paper: Path, root: Path | None) -> tuple[LoadedManifest, str | None]:
    """Return the manifest that a PDF carries, and the results digest that it states, if it states one."""
    evidence = paper_evidence(paper, root)
    click.echo(f"the paper carries {evidence.footnote()}", err=True)
    return evidence.manifest, evidence.results_digest


def _load(path: Path, root: Path | None) -> LoadedManifest:
    """Read a manifest; a draft is pinned first, into a file beside it."""
    from kit.cli.environ import places
    from kit.cli.pinning import pinned, pinned_path, write_pinned
    from kit.core.canonical import read_json
    from kit.spec.manifest.load import DraftGiven, load_manifest

    here = places(root or path.parent)
    try:
        return load_manifest(path, here)
    except DraftGiven:
        target = pinned_path(path)
    found = pinned(path, root)
    if target.exists() and read_json(target) != found.document:
        remedy = f"run that, or pin the draft under another name: kit pin {path} --out …"
        raise CheckFailed.of(target, f"exists already, and is not what {path} gives here and now", remedy)
    write_pinned(found, target)
    click.echo(f"pinned the draft: {len(found.filled)} values filled in, see {target}", err=True)
    return load_manifest(target, here)


def _run(loaded: LoadedManifest, wanted: _Wanted) -> Outcome:
    from kit.cli.environ import environment, inherited_variables, signer
    from kit.cli.fetch_command import fetched
    from kit.cli.place import bundle_place, passing_note, require_temporary_folder, work_folder
    from kit.cli.progress import shown_progress
    from kit.cli.rehearsing import rehearsed
    from kit.cli.resources import require_resources
    from kit.run.pipeline import Before, run
    from kit.run.preflight.check import check
    from kit.run.store import Store

    here = environment(loaded.manifest.environment["switches"])  # type: ignore[arg-type]  # the schema guards it
    backends = chosen_backends(wanted.backends, here)
    temporary = require_temporary_folder(inherited_variables(), for_kernels=bool(here["accelerators"]))
    target = bundle_place(loaded, wanted.out, temporary)
    fetched(loaded)
    report = check(loaded, here)
    show_differences(report.differences, as_problems=wanted.strict)
    show_warnings(report.notes)
    if report.problems or (wanted.strict and report.differences):
        raise CheckFailed(report.problems)
    require_resources(loaded, here, target.parent, backends)
    note = passing_note(target, wanted.out)
    if note:
        click.echo(note, err=True)
    work = Store(wanted.store or work_folder(target))
    chosen = signer(wanted.key)
    rehearsal = rehearsed(loaded, here, work.root, backends) if wanted.rehearse else None
    with shown_progress() as progress:
        outcome = run(
            loaded,
            here,
            target,
            store=work,
            backends=backends,
            signer=chosen,
            progress=progress,
            before=Before(notes=report.notes, rehearsal=rehearsal),
        )
    if outcome.lost:
        click.echo(_goes_on(outcome, work), err=True)
    elif wanted.store is None:
        work.remove()
    if note:
        click.echo(note, err=True)
    return outcome


def _conclude(
    loaded: LoadedManifest, outcome: Outcome, comparison: Comparison | None, stated: str | None, *, as_json: bool
) -> bool:
    """Print what came out; tell whether it is what was expected."""
    from kit.report.notices import notices
    from kit.report.results import Results
    from kit.review.diff.document import to_json
    from kit.review.diff.grade import Grade
    from kit.review.diff.text import render
    from kit.stats.expected import check_expected

    found = notices(Results(loaded.manifest, outcome.metrics), loaded.arms)
    expect = loaded.manifest.expect
    held = check_expected(expect, outcome.metrics) if expect else []
    wanted = Grade(expect.grade) if expect and comparison and comparison.same_environment else Grade.EQUIVALENT
    agrees = all(one.is_met for one in held) and (
        comparison is None or comparison.agrees(comparison.attainable(wanted))
    )
    # A statement holds no rows. Where the digest is another one, only numbers that the manifest expects can agree.
    agrees = agrees and not outcome.lost and (stated in (None, outcome.results_digest) or bool(held))
    if as_json:
        show_json(
            {
                "ok": agrees,
                "bundle": str(outcome.folder),
                "archive": str(outcome.archive),
                "results_digest": outcome.results_digest,
                "signed_by": outcome.fingerprint,
                "steps": outcome.steps,
                "reused": outcome.reused,
                "lost": [
                    {"step": problem.where, "what": problem.what, "remedy": problem.remedy} for problem in outcome.lost
                ],
                "expected": [
                    {"name": one.name, "printed": one.printed, "found": one.found, "met": one.is_met} for one in held
                ],
                "notices": [
                    {"kind": one.kind, "severity": one.severity.value, "title": one.title, "text": one.text}
                    for one in found
                ],
                "comparison": to_json(comparison) if comparison else None,
                "stated_results_digest": stated,
                "notes": [*outcome.notes],
            }
        )
        return agrees
    if comparison:
        click.echo(render(comparison))
    if stated:
        click.echo(_against(stated, outcome.results_digest))
    for one in held:
        measured = "not measured" if one.found is None else f"{one.found:.3f}"
        click.echo(
            f"{'as expected' if one.is_met else 'NOT AS EXPECTED'}: {one.name} {measured}, printed {one.printed:.3f}"
        )
    show_notices(found)
    if outcome.reused:
        click.echo(f"{outcome.reused} of {outcome.steps} steps had been done before and were not run again")
    click.echo(f"bundle: {outcome.folder} and {outcome.archive}, signed by {outcome.fingerprint}")
    click.echo(f"read:   {outcome.folder / 'report.html'}")
    click.echo(f"results digest: {outcome.results_digest}")
    return agrees


def _goes_on(outcome: Outcome, work: Store) -> str:
    """Say what is missing, and how the rest is measured without doing the whole again."""
    problems = "\n".join(map(str, outcome.lost))
    remedy = f"run again with --store {work.root} and another --out, where there is more memory or with a lower setting"
    return f"{problems}\nthe bundle is incomplete and says so; what is done is kept: {remedy}"


def _against(stated: str, found: str) -> str:
    if stated == found:
        return "the paper's results digest: the results are the same bytes"
    return f"NOT THE PAPER'S RESULTS DIGEST, {stated}; how far the two agree, `kit diff` says of the author's bundle"
