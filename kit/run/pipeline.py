"""The method section: plan, train, generate, judge, measure, bundle, sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from kit.bundle import layout
from kit.bundle.missing import Missing
from kit.bundle.publish import archive_of, fresh_partial, now, publish, require_free
from kit.core.errors import OperationalError
from kit.core.identity import kit_identity
from kit.run.assemble import assemble
from kit.run.executor import Executor
from kit.run.plan import make_plan
from kit.run.plugins import plugins_record
from kit.spec.backends import engines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from kit.bundle.signing.interface import Signer
    from kit.core.canonical import Json
    from kit.core.errors import Problem
    from kit.core.progress import Progress
    from kit.run.executor import Backends
    from kit.run.plan import Plan
    from kit.run.store import Store
    from kit.spec.manifest.load import LoadedManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What was found and done before a run."""

    notes: Sequence[Problem] = ()
    """What a reader should know of what is run."""
    rehearsal: Mapping[str, Json] | None = None
    """What was rehearsed; None if nothing was."""


BARE = Before()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run, or another judge's reading of one, has left behind."""

    folder: Path
    archive: Path
    results_digest: str
    fingerprint: str
    steps: int
    reused: int
    """How many of the steps were there already."""
    metrics: dict[str, Json]
    lost: tuple[Problem, ...] = ()
    """Steps for which there was not enough memory: what they were for is not in the bundle."""
    notes: tuple[str, ...] = ()
    """What a reader should know, as the record has it."""


def run(
    loaded: LoadedManifest,
    environment: dict[str, Json],
    out: Path,
    *,
    store: Store,
    backends: Backends,
    signer: Signer,
    progress: Progress,
    before: Before = BARE,
) -> Outcome:
    """Do what is not done yet, and write the signed bundle to `out` and its zip beside it.

    Args:
        loaded: a manifest that `kit.run.preflight.check` found nothing against.
        environment: this machine's, with the switches that will be set.
        out: a folder that does not exist yet; it appears when, and only when, the bundle is complete.
        store: where finished steps are found and put.
        backends: what does the heavy work.
        signer: who signs.
        progress: who is told.
        before: what was found and done before, for the record.

    Raises:
        OperationalError: `out` exists, the store is in use, a step failed, or the disk did; finished steps are safe.
        CheckFailed: rows of a data set do not fit.
    """
    began = now()
    try:
        with store.locked():
            require_free(out)  # not before: the run that held the lock may have been making it
            plan = make_plan(loaded, environment)
            executor = Executor(
                places=loaded.places,
                store=store,
                backends=backends,
                switches=cast("dict[str, str]", environment["switches"]),
                progress=progress,
                total=plan.steps,
            )
            executor.train(plan.training)
            executor.generate(plan.without(executor.lost).asked)
            done = plan.without(executor.lost)
            if not done.generation:
                raise OperationalError(executor.lost.values())
            cells = {step.cell: step.key for step in done.generation}
            executor.judge(done.judged, lambda cell: executor.completions(cells[cell]))
            progress.note("judging, measuring, writing the bundle")
            record: dict[str, Json] = {
                "kit": kit_identity(),
                **plugins_record(loaded.manifest, loaded.manifest.judges),
                "start": began,
                "end": now(),
                **_engine(backends.engine, done),
                "engine_loads": executor.engine_loads,
                "rehearsal": dict(before.rehearsal or {"done": False}),
                "steps": [*executor.record],
                "missing": [one.to_json() for one in _missing(plan, executor.lost)],
            }
            if before.notes:
                record["notes"] = [_note(one) for one in before.notes]
            records = {layout.RUN.name: record, layout.ENVIRONMENT.name: environment}
            return _write(out, loaded, done, store, records, signer, tuple(executor.lost.values()))
    except OSError as error:
        what = f"cannot be read or written ({error.strerror})"
        remedy = "check space and permissions; finished steps are kept, the same command goes on from there"
        raise OperationalError.of(error.filename or out, what, remedy) from error


def _write(
    out: Path,
    loaded: LoadedManifest,
    plan: Plan,
    store: Store,
    records: dict[str, dict[str, Json]],
    signer: Signer,
    lost: tuple[Problem, ...],
) -> Outcome:
    partial = fresh_partial(out)
    metrics = assemble(partial, loaded, plan, store, records)
    sealed = publish(partial, out, signer, loaded)
    steps = cast("list[dict[str, Json]]", records[layout.RUN.name]["steps"])
    return Outcome(
        folder=out,
        archive=archive_of(out),
        results_digest=sealed.results_digest,
        fingerprint=sealed.fingerprint,
        steps=plan.steps,
        reused=sum(bool(step["reused"]) for step in steps),
        metrics=metrics,
        lost=lost,
        notes=tuple(map(str, cast("list[Json]", records[layout.RUN.name].get("notes", [])))),
    )


def _engine(name: str, done: Plan) -> dict[str, Json]:
    """Return which engine gave the answers, and what it can promise of them; nothing where none did."""
    if all(step.recorded is not None for step in done.generation):
        return {}
    return {"engine": {"name": name, "can": engines()[name].capabilities.to_json()}}


def _note(one: Problem) -> str:
    """Return a note without the file that it is about, which is a path of this machine."""
    return f"{one.path or 'manifest'}: {one.what}"


def _missing(plan: Plan, lost: Mapping[str, Problem]) -> Iterator[Missing]:
    """Yield each step that was lost, once, with the cells that are not there for it."""
    for key, problem in lost.items():
        cells = [step.cell for step in plan.generation if key in (step.key, step.trained_by)]
        yield Missing(problem.where, tuple(cells))
