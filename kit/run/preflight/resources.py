"""Everything that can be said of whether a manifest fits a machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kit.core.cells import BASE
from kit.core.errors import Problem, child_path
from kit.run.preflight.ability import batch_notes
from kit.run.preflight.context import Window, engine_problems, training_notes
from kit.run.preflight.disk import disk_usages
from kit.run.preflight.estimate import arm_estimates, judge_estimate
from kit.run.preflight.lengths import Lengths, asked_reading, bounded, counted, judged_reading, trained_reading
from kit.run.preflight.need import in_gib, largest
from kit.run.preflight.template import template_bytes
from kit.spec.weights.shape import read_shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kit.core.canonical import Json
    from kit.run.executor import Worker
    from kit.run.preflight.disk import DiskUsage
    from kit.run.preflight.estimate import Estimate
    from kit.run.preflight.lengths import Reading
    from kit.run.preflight.machine import Machine
    from kit.run.preflight.need import Need
    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.weights.shape import Shape


@dataclass(slots=True)
class ResourceEstimate:
    """What a run needs, what keeps it from fitting, and what may."""

    needs: list[Need] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    disk_usages: list[DiskUsage] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    """It does not fit."""
    warnings: list[Problem] = field(default_factory=list)
    """It may not, or something is lost."""

    @property
    def is_in_doubt(self) -> bool:
        """Whether counting tokens could show that a prompt does not fit."""
        asked = (one for one in self.windows if one.is_refused)
        return any(not one.lengths.is_counted and not one.is_certain for one in asked)

    def to_json(self) -> dict[str, Json]:
        """Return the same for machines."""
        return {
            "needs": [need.to_json() for need in self.needs],
            "lengths": [window.to_json() for window in self.windows],
            "disk": [usage.to_json() for usage in self.disk_usages],
            "warnings": [
                {"where": one.where, "path": one.path, "what": one.what, "remedy": one.remedy} for one in self.warnings
            ],
        }


@dataclass(frozen=True, slots=True)
class Tokenizing:
    """A worker that can count tokens, and the switches that it is started with."""

    worker: Worker
    switches: Mapping[str, str]


def fit(
    loaded: LoadedManifest, machine: Machine, workspace: Path, tokenizing: Tokenizing | None = None
) -> ResourceEstimate:
    """Return what a run of this manifest needs of a machine.

    Args:
        loaded: a manifest whose files and rows have been checked.
        machine: where it is to run.
        workspace: an existing folder on the disk that the run would write to.
        tokenizing: counts tokens; without it they are bounded by bytes.

    Raises:
        KitError: a file is not in its format, or a template refuses a prompt.
    """
    lengths = _Lengths(loaded, tokenizing)
    found = ResourceEstimate()
    shape = None
    if not loaded.manifest.model.is_recorded:
        shape = read_shape(loaded.places, loaded.manifest.model.source)
        _arms(loaded, shape, machine, lengths, found)
    _judges(loaded, machine, lengths, found)
    found.disk_usages = disk_usages(
        loaded, shape, workspace, sum(len(one.each) for one in lengths.asked(BASE).values())
    )
    for usage in found.disk_usages:
        _say_disk_usage(usage, found)
    found.warnings = list(dict.fromkeys(found.warnings))
    found.problems = list(dict.fromkeys(found.problems))
    return found


class _Lengths:
    """The lengths of every reading of a manifest, each found out once."""

    def __init__(self, loaded: LoadedManifest, tokenizing: Tokenizing | None) -> None:
        self._loaded = loaded
        self._asked = {
            (arm, name): asked_reading(loaded, manifest, name)
            for arm, manifest in loaded.arms.items()
            for name in manifest.evaluations
        }
        self._trained = {
            arm: trained_reading(loaded, manifest)
            for arm, manifest in loaded.arms.items()
            if arm != BASE and manifest.finetune and manifest.finetune.training
        }
        self._judged = {
            (name, judge): judged_reading(loaded, name, asked)
            for name, evaluation in loaded.manifest.evaluations.items()
            for judge in evaluation.judges
            if (asked := loaded.manifest.judges[judge].asked)
        }
        readings = [*self._asked.values(), *self._trained.values(), *self._judged.values()]
        by_key = {reading.key: reading for reading in readings if not reading.model.is_recorded}
        self._known = counted(loaded, by_key, tokenizing.worker, tokenizing.switches) if tokenizing else {}

    def asked(self, arm: str) -> dict[str, Lengths]:
        """Return the lengths of an arm's prompts, by evaluation."""
        return {name: self._of(reading) for (of, name), reading in self._asked.items() if of == arm}

    def trained(self, arm: str) -> Lengths | None:
        """Return the lengths of the rows that an arm is trained on."""
        return self._of(self._trained[arm]) if arm in self._trained else None

    def judged(self, judge: str) -> dict[str, Lengths]:
        """Return the lengths of a judge's questions, less the completions, by evaluation."""
        return {name: self._of(reading) for (name, by), reading in self._judged.items() if by == judge}

    def _of(self, reading: Reading) -> Lengths:
        return self._known.get(reading.key) or bounded(reading, template_bytes(self._loaded.places, reading.model))


def _together(lengths: Mapping[str, Lengths]) -> Lengths:
    return Lengths(
        tuple(length for one in lengths.values() for length in one.each),
        is_counted=all(one.is_counted for one in lengths.values()),
    )


def _arms(loaded: LoadedManifest, shape: Shape, machine: Machine, lengths: _Lengths, found: ResourceEstimate) -> None:
    where = str(loaded.path)
    asked = {arm: _together(lengths.asked(arm)) for arm in loaded.arms}
    rows = {arm: one for arm in loaded.arms if (one := lengths.trained(arm))}
    for estimate in arm_estimates(loaded, shape, machine, asked, rows):
        _say_estimate(where, estimate, found)
    for arm, manifest in loaded.arms.items():
        accelerated = machine.device.is_accelerator
        engine = engine_problems(shape, manifest.model.dtype, manifest.engine, "$.engine", on_accelerator=accelerated)
        _say_engine(where, engine, found)
        for name, one in lengths.asked(arm).items():
            more, place = manifest.evaluations[name].generation.max_tokens, "$.engine.max_model_len"
            window = Window(name, place, one, more, manifest.engine.max_model_len, is_refused=True)
            _say_window(where, window, found)
        training = manifest.finetune.training if manifest.finetune else None
        if training and arm in rows:
            for note in training_notes(shape, training, rows[arm]):
                found.warnings.append(Problem(where, *note, "$.finetune.training.max_length"))
            found.warnings += [Problem(where, *note) for note in batch_notes(training, len(rows[arm].each))]
            data = manifest.finetune.data if manifest.finetune else None
            place = "$.finetune.training.max_length"
            row = Window(f"rows of {data}", place, rows[arm], 0, training.max_length)
            found.windows += [row] if row not in found.windows else []


def _judges(loaded: LoadedManifest, machine: Machine, lengths: _Lengths, found: ResourceEstimate) -> None:
    where = str(loaded.path)
    for name, judge in loaded.manifest.judges.items():
        questions = lengths.judged(name)
        if judge.asked is None or not questions:
            continue
        shape, limits = read_shape(loaded.places, judge.asked.model.source), judge.asked.engine
        _say_estimate(where, judge_estimate(name, judge.asked, shape, machine, _together(questions)), found)
        place = f"{child_path('$.judges', name)}.engine"
        accelerated = machine.device.is_accelerator
        engine = engine_problems(shape, judge.asked.model.dtype, limits, place, on_accelerator=accelerated)
        _say_engine(where, engine, found)
        for evaluation, one in questions.items():
            # A completion takes about as many tokens of the judge as of the model that wrote it.
            more = loaded.manifest.evaluations[evaluation].generation.max_tokens + judge.asked.max_tokens
            window = Window(f"{evaluation} judged by {name}", f"{place}.max_model_len", one, more, limits.max_model_len)
            found.windows.append(window)
            if window.overflows:
                what = f"the longest question about {evaluation} may come to {one.longest + more} tokens"
                remedy = f"raise it to {one.longest + more}, unless completions are shorter than they may be"
                found.warnings.append(Problem(where, what, remedy, window.place))


def _say_estimate(where: str, estimate: Estimate, found: ResourceEstimate) -> None:
    need = estimate.need
    found.needs.append(need)
    if not need.is_near:
        return
    part, arms = largest(need.parts), f" {', '.join(need.arms)}" if need.arms else ""
    about = "about" if need.is_counted else "up to about"
    what = (
        f"{need.step}{arms} needs {about} {in_gib(need.size)} of {in_gib(need.device.size)} ({need.device.name}): "
        f"{part.name} {in_gib(part.size)}"
    )
    problem = Problem(where, what, estimate.remedy, estimate.place)
    (found.problems if need.cannot_fit else found.warnings).append(problem)


def _say_engine(where: str, said: Iterator[tuple[str, str, str, bool]], found: ResourceEstimate) -> None:
    for what, remedy, place, is_certain in said:
        (found.problems if is_certain else found.warnings).append(Problem(where, what, remedy, place))


def _say_window(where: str, window: Window, found: ResourceEstimate) -> None:
    found.windows += [window] if window not in found.windows else []
    if window.overflows:
        what = f"the longest prompt of {window.name} has {window.lengths.longest} tokens and may get {window.more} more"
        remedy = f"raise it to {window.lengths.longest + window.more}, or lower max_tokens"
        found.problems.append(Problem(where, what, remedy, window.place))


def _say_disk_usage(usage: DiskUsage, found: ResourceEstimate) -> None:
    if usage.likely > usage.free:
        what = f"about {usage.likely >> 20} MiB of disk are needed, {usage.free >> 20} MiB are free"
        problem = Problem(str(usage.folder), what, usage.remedy)
        (found.problems if usage.certain > usage.free else found.warnings).append(problem)
