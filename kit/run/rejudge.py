"""More judges over the completions that a bundle holds: nothing is trained or generated again."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, cast

from kit.bundle import layout
from kit.bundle.contents import load_contents
from kit.bundle.files import folder_results_digest, walk
from kit.bundle.publish import archive_of, fresh_partial, now, publish, require_free
from kit.core.digests import file_digest
from kit.core.errors import CheckFailed, OperationalError
from kit.core.identity import kit_identity
from kit.report.write import write_document, write_numbers
from kit.run.assemble import judge_self_test_record, write_judged
from kit.run.executor import Executor
from kit.run.judge_steps import in_order_of_engines, judge_self_tests, judge_step
from kit.run.pipeline import Outcome
from kit.run.plan import decisive
from kit.run.plugins import plugins_record
from kit.run.scoring import give_verdicts
from kit.spec.manifest.template import read_template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kit.bundle.contents import Contents
    from kit.bundle.signing.interface import Signer
    from kit.core.canonical import Json
    from kit.core.cells import Cell
    from kit.core.progress import Progress
    from kit.core.rows import Completion
    from kit.run.executor import Backends
    from kit.run.judge_steps import JudgeStep
    from kit.run.store import Store
    from kit.spec.manifest.load import LoadedManifest

_OWN = (layout.MANIFEST, layout.METRICS, layout.REPORT, layout.CARDS, layout.SIGNATURES)
"""What a bundle has of its own, however much its rows are another's."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the models of new judges have answered, and what the record says of it."""

    answers: Mapping[tuple[Cell, str], Sequence[Completion]]
    self_tests: dict[str, Json]
    steps: list[dict[str, Json]]
    engine_loads: int


def rejudge(
    original: Path,
    loaded: LoadedManifest,
    environment: dict[str, Json],
    out: Path,
    *,
    store: Store,
    backends: Backends | None,
    signer: Signer,
    progress: Progress,
) -> Outcome:
    """Let new judges judge a bundle's completions, and write a signed bundle to `out` and its zip beside it.

    What the original holds stays as it is, byte for byte; `record/rejudge.json` names it by its results digest.

    Args:
        original: folder of a bundle that was verified.
        loaded: its manifest with the new judges in it, and the folder that their paths are relative to.
        environment: this machine's, with the switches that will be set.
        out: a folder that does not exist yet; it appears when, and only when, the bundle is complete.
        store: where finished steps are found and put.
        backends: what does the heavy work; None where no new judge asks a model.
        signer: who signs.
        progress: who is told.

    Raises:
        OperationalError: `out` exists, the store is in use, a step failed, or the disk did; finished steps are safe.
        CheckFailed: a template is wrong, or a model gave an answer that its judge does not know.
    """
    began = now()
    contents = load_contents(original)
    if contents.withheld:
        what = f"withholds the texts of {', '.join(contents.withheld)}, which a judge would read"
        raise CheckFailed.of(original, what, "rejudge the bundle that it was made of, and redact that")
    cells = _new_cells(contents, loaded)
    judges = loaded.manifest.judges
    try:
        with store.locked():
            require_free(out)
            steps = _steps(original, contents, loaded, cells, environment)
            asked = _ask(steps, contents, loaded, environment, store, backends, progress)
            answer_after = {cell: contents.evaluation(cell).answer_after for cell, _ in cells}
            verdicts = give_verdicts(cells, judges, contents.prompts, contents.completions, asked.answers, answer_after)
            reading: dict[str, Json] = {
                "original": folder_results_digest(original),
                "judges": [*sorted({name for _, name in cells})],
                "kit": kit_identity(),
                **plugins_record(loaded.manifest, {name for _, name in cells}),
                "start": began,
                "end": now(),
                "engine_loads": asked.engine_loads,
                "steps": [*asked.steps],
                "environment": environment,
            }
            partial = fresh_partial(out)
            _copy(original, partial)
            _append_logs(store.root / "logs", partial / layout.LOGS)
            write_document(partial / layout.MANIFEST, loaded.document)
            write_judged(partial, asked.answers, verdicts)
            write_document(partial / layout.SELFTEST, _self_tests(contents.selftest, asked))
            write_document(partial / layout.REJUDGE, {"readings": [*contents.readings, reading]})
            metrics = write_numbers(partial, loaded)
            sealed = publish(partial, out, signer, loaded)
    except OSError as error:
        what = f"cannot be read or written ({error.strerror})"
        remedy = "check space and permissions; finished steps are kept, the same command goes on from there"
        raise OperationalError.of(error.filename or out, what, remedy) from error
    return Outcome(
        folder=out,
        archive=archive_of(out),
        results_digest=sealed.results_digest,
        fingerprint=sealed.fingerprint,
        steps=len(asked.steps),
        reused=sum(bool(step["reused"]) for step in asked.steps),
        metrics=metrics,
    )


def _new_cells(contents: Contents, loaded: LoadedManifest) -> list[tuple[Cell, str]]:
    """Return every cell with each new judge that judges it."""
    return [
        (cell, name)
        for cell in contents.completions
        for name in loaded.manifest.evaluations[cell.evaluation].judges
        if name not in contents.manifest.judges
    ]


def _steps(
    original: Path,
    contents: Contents,
    loaded: LoadedManifest,
    cells: Sequence[tuple[Cell, str]],
    environment: Mapping[str, Json],
) -> list[JudgeStep]:
    """Return the steps of those judges that ask a model."""
    models = {name: judge.asked for name, judge in loaded.manifest.judges.items() if judge.asked}
    templates = {name: read_template(loaded.places, models[name].template) for _, name in cells if name in models}
    return [
        judge_step(
            cell,
            name,
            models[name],
            templates[name],
            contents.prompts[cell.evaluation],
            judged=file_digest(original / layout.completions_file(cell)),
            answer_after=contents.evaluation(cell).answer_after,
            where_run=decisive(environment),
        )
        for cell, name in cells
        if name in models
    ]


def _ask(
    steps: Sequence[JudgeStep],
    contents: Contents,
    loaded: LoadedManifest,
    environment: Mapping[str, Json],
    store: Store,
    backends: Backends | None,
    progress: Progress,
) -> _Asked:
    if not steps:
        return _Asked({}, {}, [], 0)
    assert backends is not None
    self_tests = judge_self_tests(steps)
    executor = Executor(
        places=loaded.places,
        store=store,
        backends=backends,
        switches=cast("dict[str, str]", environment["switches"]),
        progress=progress,
        total=len({step.key for step in (*steps, *self_tests)}),
    )
    executor.judge(in_order_of_engines([*steps, *self_tests]), lambda cell: contents.completions[cell])
    answers = {(step.cell, step.judge): step.complete(executor.completions(step.key)) for step in steps}
    return _Asked(answers, judge_self_test_record(self_tests, store, answers), executor.record, executor.engine_loads)


def _self_tests(before: dict[str, Json], asked: _Asked) -> dict[str, Json]:
    judges = before.get("judges")
    return {**before, "judges": {**(judges if isinstance(judges, dict) else {}), **asked.self_tests}}


def _copy(original: Path, target: Path) -> None:
    """Copy what stays as it is."""
    for name in walk(original):
        if not any(PurePosixPath(name).is_relative_to(own) for own in _OWN):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(original / name, target / name)


def _append_logs(logs: Path, target: Path) -> None:
    """Put what was printed now behind what was printed then."""
    target.mkdir(parents=True, exist_ok=True)
    for log in sorted(logs.glob("*.log")):
        with (target / log.name).open("ab") as stream:
            stream.write(log.read_bytes())
