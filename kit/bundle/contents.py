"""A bundle's content as typed rows, from a folder whose integrity is somebody else's business.

Nothing is taken on trust: what lies in the payload must be what the manifest calls for, no file more and none less, and
rows must stand in the order of their prompts. Whatever does not is a problem of the file it stands in.

Completions are most of a bundle and stay on the disk: whoever wants them walks them (`kit.bundle.streamed`).
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.bundle.files import walk
from kit.bundle.missing import Missing, missing_sentence, read_missing
from kit.bundle.redaction import Redaction
from kit.bundle.streamed import Answer, RowFile
from kit.bundle.trace import trace_problem
from kit.bundle.written_by import naming_another_kit
from kit.core.canonical import Json, read_json
from kit.core.errors import CheckFailed, KitError, Problem
from kit.core.fields import FieldError, versions
from kit.core.rows import Completion, Judgement, LogprobMargins, Prompt, load_rows
from kit.spec.manifest.arms import planned_cells
from kit.spec.manifest.load import load_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path, PurePosixPath

    from kit.core.cells import ArmSeed, Cell
    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.manifest.model import Evaluation, Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What the numbers are computed from, and what is told beside them."""

    manifest: Manifest
    arms: Mapping[str, Manifest]
    """Every arm and the manifest that it follows."""
    prompts: Mapping[str, list[Prompt]]
    """By evaluation, in the order of the data set."""
    completions: Mapping[Cell, Sequence[Completion]]
    """In the order of the prompts; cells in the order of their names."""
    verdicts: Mapping[tuple[Cell, str], Sequence[Judgement]]
    """By cell and judge, in the order of the prompts."""
    judging: Mapping[tuple[Cell, str], Sequence[Completion]]
    """What the judges' models answered, by cell and judge, in the order of the prompts."""
    training: Mapping[ArmSeed, dict[str, Json]]
    environment: dict[str, Json]
    run: dict[str, Json]
    selftest: dict[str, Json]
    readings: tuple[dict[str, Json], ...]
    """What is told of each time that judges were added later, oldest first."""
    margins: Mapping[Cell, Sequence[LogprobMargins]] = field(default_factory=dict)
    """How sure the model was of each token, for the cells of which that is recorded, in the order of the prompts."""
    redaction: Redaction | None = None
    """From what a redacted bundle was made, and what was left out."""
    missing: tuple[Missing, ...] = ()
    """Steps that the run did without, for want of memory."""
    documents: Mapping[str, int] = field(default_factory=dict)
    """The versions of report, model cards and research object that the bundle says it holds."""

    def evaluation(self, cell: Cell) -> Evaluation:
        """Return how the prompts of a cell were asked and judged, its arm's variation included."""
        return self.arms[cell.weights.arm].evaluations[cell.evaluation]

    def can_be_cut_off(self, cell: Cell) -> bool:
        """Tell whether an end at `max_tokens` says anything: of a letter, one token by design, or a recording, not."""
        return self.evaluation(cell).choices is None and not self.manifest.model.is_recorded

    @property
    def withheld(self) -> tuple[str, ...]:
        """The evaluations whose texts are withheld."""
        return self.redaction.withheld if self.redaction else ()

    @property
    def incomplete(self) -> str:
        """What the run could not measure, in a sentence; empty where nothing is missing."""
        return missing_sentence(self.missing, len(self.completions))

    @property
    def completed_by(self) -> Json:
        """Which kit put the numbers and the report together."""
        return self.redaction.kit if self.redaction else (self.readings[-1] if self.readings else self.run).get("kit")


def adapter_files(weights: ArmSeed) -> tuple[PurePosixPath, PurePosixPath]:
    """Return where an adapter's weights and its configuration lie."""
    folder = layout.adapter_folder(weights)
    return folder / "adapter_model.safetensors", folder / "adapter_config.json"


def load_contents(folder: Path, loaded: LoadedManifest | None = None) -> Contents:
    """Read a bundle's rows and records, and check every row; verdicts stay in memory.

    Args:
        folder: of the bundle.
        loaded: the manifest that the caller has put there; a stranger's is read and validated.

    Raises:
        CheckFailed: files are missing or not called for, or their content is malformed; all problems at once.
        OperationalError: the folder cannot be read.
    """
    with naming_another_kit(folder):
        contents, problems = _open(folder, loaded)
        verdicts: dict[tuple[Cell, str], list[Judgement]] = {}
        for key, judgements in contents.verdicts.items():
            with _noting(problems):
                verdicts[key] = list(judgements)
        for rows in (*contents.completions.values(), *contents.judging.values(), *contents.margins.values()):
            with _noting(problems):
                deque(rows, maxlen=0)  # walked, and so checked
        if problems:
            raise CheckFailed(problems)
        return replace(contents, verdicts=verdicts)


def open_contents(folder: Path) -> Contents:
    """Read a bundle's records and prompts; all other rows are read, and checked, by whoever walks them.

    Raises:
        CheckFailed: files are missing or not called for, or a record or a prompt is malformed; all problems at once.
        OperationalError: the folder cannot be read.
    """
    with naming_another_kit(folder):
        contents, problems = _open(folder)
        if problems:
            raise CheckFailed(problems)
        return contents


def _open(folder: Path, loaded: LoadedManifest | None = None) -> tuple[Contents, list[Problem]]:
    names = walk(folder)
    if str(layout.MANIFEST) not in names:
        raise CheckFailed.of(folder / layout.MANIFEST, "is missing", "this is not a bundle")
    loaded = loaded or load_manifest(folder / layout.MANIFEST)
    reader = _Reader(folder, [])
    run = reader.document(layout.RUN)
    planned = planned_cells(loaded)
    missing = reader.missing(run, planned)
    not_there = {cell for one in missing for cell in one.cells}
    cells = [cell for cell in planned if cell not in not_there]
    redaction = reader.redaction()
    adapters = redaction is None or redaction.adapters
    reader.problems.extend(_file_problems(folder, names, _payload_files(loaded, cells, adapters=adapters)))
    prompts = {name: reader.prompts(name) for name in sorted(loaded.manifest.evaluations)}
    ids = {name: [prompt.id for prompt in rows] for name, rows in prompts.items()}
    withheld = redaction.withheld if redaction else ()

    def answers(cell: Cell, name: PurePosixPath, row_type: type[Answer]) -> RowFile[Answer]:
        return RowFile(folder, name, row_type, ids[cell.evaluation], cell.evaluation in withheld)

    contents = Contents(
        manifest=loaded.manifest,
        arms=loaded.arms,
        prompts=prompts,
        # A file that is missing was noted when the names were compared: nobody gets to see contents that lack one.
        completions={
            cell: answers(cell, layout.completions_file(cell), Completion)
            for cell in cells
            if str(layout.completions_file(cell)) in names
        },
        verdicts={
            (cell, judge): answers(cell, layout.verdicts_file(cell, judge), Judgement)
            for cell in cells
            for judge in loaded.arms[cell.weights.arm].evaluations[cell.evaluation].judges
            if str(layout.verdicts_file(cell, judge)) in names
        },
        judging={
            (cell, judge): answers(cell, layout.judging_file(cell, judge), Completion)
            for cell, judge in _asked_of_models(loaded, cells)
            if str(layout.judging_file(cell, judge)) in names
        },
        margins={
            cell: answers(cell, layout.logprob_margins_file(cell), LogprobMargins)
            for cell in cells
            if str(layout.logprob_margins_file(cell)) in names
        },
        training={weights: reader.trace(layout.training_file(weights)) for weights in _trained(cells)},
        environment=reader.document(layout.ENVIRONMENT),
        run=run,
        selftest=reader.document(layout.SELFTEST),
        readings=reader.readings(),
        redaction=redaction,
        missing=missing,
        documents=reader.documents(),
    )
    reader.problems.extend(_withheld_problems(folder, contents))
    return contents, reader.problems


@contextmanager
def _noting(problems: list[Problem]) -> Iterator[None]:
    try:
        yield
    except KitError as error:
        problems.extend(error.problems)


def _asked_of_models(loaded: LoadedManifest, cells: Iterable[Cell]) -> list[tuple[Cell, str]]:
    """Return the cells, each with a judge, about which a model was asked."""
    return [
        (cell, judge)
        for cell in cells
        for judge in loaded.arms[cell.weights.arm].evaluations[cell.evaluation].judges
        if loaded.manifest.judges[judge].asked
    ]


def _trained(cells: Iterable[Cell]) -> list[ArmSeed]:
    return sorted({cell.weights for cell in cells if cell.weights.training_seed is not None})


def row_files(
    contents: Contents,
) -> Iterator[tuple[PurePosixPath, Sequence[Prompt] | Sequence[Completion] | Sequence[Judgement]]]:
    """Yield where each file of the payload's rows lies, and its rows."""
    for evaluation, prompts in contents.prompts.items():
        yield layout.prompts_file(evaluation), prompts
    for cell, completions in contents.completions.items():
        yield layout.completions_file(cell), completions
    for (cell, judge), answers in contents.judging.items():
        yield layout.judging_file(cell, judge), answers
    for (cell, judge), verdicts in contents.verdicts.items():
        yield layout.verdicts_file(cell, judge), verdicts


def _withheld_problems(folder: Path, contents: Contents) -> Iterator[Problem]:
    """Yield the files of prompts with texts that the record calls withheld, and the other way about."""
    for unknown in sorted(set(contents.withheld) - contents.prompts.keys()):
        what = f"withholds {unknown}, which is no evaluation of the manifest"
        yield Problem(f"{folder}/{layout.REDACTION}", what)
    for evaluation, prompts in contents.prompts.items():
        if any((row.withheld is not None) != (evaluation in contents.withheld) for row in prompts):
            what = "holds texts" if evaluation in contents.withheld else "withholds texts"
            name = layout.prompts_file(evaluation)
            yield Problem(f"{folder}/{name}", f"{what}, and {layout.REDACTION} says otherwise")


def _payload_files(loaded: LoadedManifest, cells: Iterable[Cell], *, adapters: bool) -> Iterator[PurePosixPath]:
    """Yield every file that the payload must hold."""
    yield layout.METRICS
    yield from map(layout.prompts_file, loaded.manifest.evaluations)
    for cell in cells:
        yield layout.completions_file(cell)
        judges = loaded.arms[cell.weights.arm].evaluations[cell.evaluation].judges
        yield from (layout.verdicts_file(cell, judge) for judge in judges)
    yield from (layout.judging_file(*asked) for asked in _asked_of_models(loaded, cells))
    for weights in _trained(cells):
        yield layout.training_file(weights)
        finetune = loaded.arms[weights.arm].finetune
        if finetune and finetune.lora and adapters:
            yield from adapter_files(weights)


def _file_problems(folder: Path, names: Iterable[str], called_for: Iterable[PurePosixPath]) -> Iterator[Problem]:
    """Yield what the payload lacks, and what nothing calls for. The metrics may still be to be computed."""
    found = {name for name in names if name.startswith(f"{layout.PAYLOAD}/")}
    called = set(map(str, called_for))
    for name in sorted(found - called):
        yield Problem(f"{folder}/{name}", "is not called for by the manifest", "remove it, or mend its name")
    for name in sorted(called - found - {str(layout.METRICS)}):
        yield Problem(f"{folder}/{name}", "is missing", "the manifest calls for it")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the files of one bundle and keeps what is wrong with them."""

    folder: Path
    problems: list[Problem]

    def prompts(self, evaluation: str) -> list[Prompt]:
        name = layout.prompts_file(evaluation)
        path = self.folder / name
        if not path.is_file():  # which was noted when the names of the files were compared
            return []
        try:
            rows = load_rows(path, Prompt)
        except KitError as error:
            self.problems.extend(error.problems)
            return []
        if len({row.id for row in rows}) < len(rows):
            self.note(name, "has an id that occurs twice")
        if not rows:
            self.note(name, "holds no prompt")
        return rows

    def document(self, name: PurePosixPath) -> dict[str, Json]:
        """Read a file that holds one object."""
        path = self.folder / name
        if not path.is_file():
            if name.is_relative_to(layout.RECORD):
                self.note(name, "is missing")
            return {}
        try:
            document = read_json(path)
        except KitError as error:
            self.problems.extend(error.problems)
            return {}
        if not isinstance(document, dict):
            self.note(name, "is not a JSON object")
            return {}
        return document

    def trace(self, name: PurePosixPath) -> dict[str, Json]:
        """Read what was recorded of a training."""
        document = self.document(name)
        if (self.folder / name).is_file() and (wrong := trace_problem(document)):
            self.note(name, f"is not what a trainer records: {wrong}")
        return document

    def redaction(self) -> Redaction | None:
        """Read from what a redacted bundle was made."""
        if not (self.folder / layout.REDACTION).is_file():
            return None
        try:
            return Redaction.from_json(self.document(layout.REDACTION))
        except FieldError as error:
            self.note(layout.REDACTION, str(error))
            return None

    def missing(self, run: dict[str, Json], planned: Sequence[Cell]) -> tuple[Missing, ...]:
        """Read which cells the run could not measure."""
        try:
            return read_missing(run, planned)
        except FieldError as error:
            self.note(layout.RUN, str(error))
            return ()

    def documents(self) -> dict[str, int]:
        """Read the versions of report, model cards and research object, which each kit words in its own way."""
        try:
            if (self.folder / layout.DOCUMENTS).is_file():
                return versions(self.document(layout.DOCUMENTS))
        except FieldError as error:
            self.note(layout.DOCUMENTS, str(error))
        return {}

    def readings(self) -> tuple[dict[str, Json], ...]:
        """Read what is told of judges that were added later."""
        if not (self.folder / layout.REJUDGE).is_file():
            return ()
        found = self.document(layout.REJUDGE).get("readings")
        listed = found if isinstance(found, list) else []
        readings = tuple(one for one in listed if isinstance(one, dict))
        if not readings or len(readings) < len(listed):
            self.note(layout.REJUDGE, "does not tell who judged")
        return readings

    def note(self, name: object, what: str, remedy: str = "") -> None:
        self.problems.append(Problem(f"{self.folder}/{name}", what, remedy))
