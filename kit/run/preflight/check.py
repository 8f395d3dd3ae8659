"""Everything that can be known before a minute of computing is spent."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from kit.core.errors import CheckFailed, KitError, Problem, child_path
from kit.spec.adapter.check import adapter_problems
from kit.spec.data.load import load_examples, load_prompts, load_recorded
from kit.spec.environment.compare import Difference, differences
from kit.spec.judges import find_kind
from kit.spec.manifest.files import every_source, source_problems
from kit.spec.manifest.judge_check import asking_problems
from kit.spec.manifest.judge_rules import rules_problems
from kit.spec.manifest.templates import template_problems

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from kit.core.canonical import Json
    from kit.core.rows import Prompt
    from kit.spec.judges.interface import Lack
    from kit.spec.manifest.judge_model import JudgeModel
    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.manifest.model import DataSet, Evaluation, Manifest
    from kit.spec.manifest.parts import Source


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What speaks against a run, and what a reader should know before one."""

    problems: list[Problem]
    differences: list[Difference]
    """Between the environment that was pinned and this one; they do not stop a run."""
    prompts: Mapping[str, int]
    """Evaluation → how many prompts it asks."""
    notes: list[Problem] = field(default_factory=list)
    """What a reader should know and may well be meant; it does not stop a run either."""


def check(loaded: LoadedManifest, environment: Mapping[str, Json], absent: Sequence[Problem] = ()) -> CheckReport:
    """Look at everything that a run of this manifest would need; whether it fits, `kit.run.preflight` tells.

    Args:
        loaded: a valid, pinned manifest.
        environment: this machine's, as `record_environment` gives it.
        absent: why files on the Hub are not here, if they are not; no file of the Hub is looked at then.
    """
    where, manifest = str(loaded.path), loaded.manifest
    problems, unread = _file_problems(loaded, skip_hub=bool(absent))
    row_problems, prompts = _row_problems(loaded, unread)
    of_adapters, notes = adapter_problems(loaded, unread)
    problems = [*absent, *problems, *row_problems, *template_problems(loaded, unread), *of_adapters]
    for place, asked in _asked_models(manifest).items():
        if not any(source in unread for source in (asked.model.source, asked.model.template, asked.template)):
            problems += asking_problems(loaded.places, asked, where, place)
    for name, judge in manifest.judges.items():
        problems += rules_problems(judge, where, child_path("$.judges", name))
    return CheckReport(problems, differences(manifest.environment, environment), prompts, notes)


def _file_problems(loaded: LoadedManifest, *, skip_hub: bool) -> tuple[list[Problem], list[Source]]:
    """Compare the files of every arm with their digests; return the sources, too, that are not fit to be read."""
    problems: list[Problem] = []
    unread: list[Source] = []
    for where, named, part in every_source(loaded):
        is_skipped = skip_hub and named.source.repo is not None
        found = [] if is_skipped else source_problems([(named, part)], loaded.places, where)
        problems += found
        if is_skipped or found:
            unread.append(named.source)
    return problems, unread


def _row_problems(loaded: LoadedManifest, unread: Container[Source]) -> tuple[list[Problem], dict[str, int]]:
    """Read every data set in the role that it plays, but for those that are not fit to be read."""
    manifest, problems, prompts = loaded.manifest, list[Problem](), dict[str, int]()

    def collect(load: Callable[[], int]) -> int:
        try:
            return load()
        except KitError as error:
            problems.extend(error.problems)
            return 0

    for name, evaluation in manifest.evaluations.items():
        if manifest.data[evaluation.data].source not in unread:
            prompts[name] = collect(partial(_count_prompts, loaded, evaluation))
    for name, data in _trained_on(loaded):
        if data.source not in unread:
            collect(partial(_count_examples, loaded, name, data))
    # A set that is asked twice has the same problems twice.
    return list(dict.fromkeys(problems)), prompts


def _trained_on(loaded: LoadedManifest) -> list[tuple[str, DataSet]]:
    """Return each data set that an arm is trained on; a variation may choose another, or other rows."""
    found: list[tuple[str, DataSet]] = []
    for manifest in loaded.arms.values():
        name = manifest.finetune.data if manifest.finetune else None
        if name is not None and (name, manifest.data[name]) not in found:
            found.append((name, manifest.data[name]))
    return found


def _count_examples(loaded: LoadedManifest, name: str, data: DataSet) -> int:
    return len(load_examples(loaded.places, name, data))


def _count_prompts(loaded: LoadedManifest, evaluation: Evaluation) -> int:
    name = evaluation.data
    prompts = load_prompts(loaded.places, name, loaded.manifest.data[name])
    if loaded.manifest.model.is_recorded:
        load_recorded(loaded.places, name, loaded.manifest.data[name])
    if problems := _lacking(
        f"data set {name!r}", prompts, [loaded.manifest.judges[one].kind for one in evaluation.judges]
    ):
        raise CheckFailed(problems)
    return len(prompts)


def _lacking(where: str, prompts: Sequence[Prompt], kinds: Iterable[str]) -> list[Problem]:
    """Return what prompts lack that their judges need; a judge that is not installed is a problem of its own."""
    found: dict[Lack, list[str]] = {}
    for kind in filter(None, map(find_kind, dict.fromkeys(kinds))):
        for prompt in prompts:
            if lack := kind.lack(prompt):
                found.setdefault(lack, []).append(prompt.id)
    return [
        Problem(where, f"{len(ids)} of {len(prompts)} prompts have {lack.what}, the first is {ids[0]!r}", lack.remedy)
        for lack, ids in found.items()
    ]


def _asked_models(manifest: Manifest) -> dict[str, JudgeModel]:
    """Return what is asked by each judge that asks a model, by the judge's place in the manifest."""
    return {child_path("$.judges", name): one.asked for name, one in manifest.judges.items() if one.asked}
