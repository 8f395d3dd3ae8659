"""What a reader should hold against the numbers; the words stand in the template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.report.judge_words import caveat_of
from kit.report.wording import percent
from kit.spec.backends import engines
from kit.spec.backends.interface import UNPROMISED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.bundle.contents import Contents
    from kit.core.canonical import Json
    from kit.report.results import Results

FEW_SEEDS = 5
"""Below this many training seeds the report says that their spread is hardly known; the paper measured five times."""


@dataclass(frozen=True, slots=True)
class Selftest:
    """How many prompts were asked again in another order and batch, and how many answers changed."""

    prompts: int
    changed: int


@dataclass(frozen=True, slots=True)
class Caveats:
    """Limits of the measurement, and how well it repeats."""

    judges: tuple[tuple[str, str], ...]
    """Name, and what is to be held against it."""
    few_training_seeds: int
    """How many, where they are few; else 0."""
    incoherent: tuple[tuple[str, str, str], ...]
    """Cell, judge and share of answers, for each cell with too many."""
    selftest: Selftest | None
    judge_selftests: tuple[tuple[str, Selftest], ...]
    """By the name of a judge that asks a model."""
    batch_dependent: bool
    """Whether an accelerator computed without the switch that makes answers independent of their batch."""
    sampled: tuple[str, ...]
    """Evaluations whose answers were drawn at random."""
    notes: tuple[str, ...]
    """What was known before the run, and may have been meant: another base than an adapter's, say."""
    unpromised: tuple[str, ...]
    """What the engine that gave the answers cannot promise of them, in sentences."""
    unrehearsed: bool
    """Whether the run was begun without going the whole way once in small."""


def caveats(contents: Contents, results: Results) -> Caveats:
    """Return what a reader should hold against the numbers."""
    manifest = contents.manifest
    seeds = 0 if manifest.finetune is None else len(manifest.seeds.training)
    return Caveats(
        judges=tuple((name, caveat_of(contents, name)) for name in sorted(manifest.judges)),
        few_training_seeds=seeds if seeds < FEW_SEEDS else 0,
        incoherent=tuple((str(flag.cell), flag.judge, percent(flag.share)) for flag in results.flags()),
        selftest=_selftest(contents.selftest),
        judge_selftests=_judge_selftests(contents),
        batch_dependent=_batch_dependent(contents.environment),
        sampled=tuple(name for name, each in sorted(manifest.evaluations.items()) if each.generation.temperature > 0),
        notes=_notes(contents.run),
        unpromised=_unpromised(contents.run),
        unrehearsed=contents.run.get("rehearsal") == {"done": False},
    )


def _notes(run: Mapping[str, Json]) -> tuple[str, ...]:
    notes = run.get("notes")
    return tuple(note for note in notes if isinstance(note, str)) if isinstance(notes, list) else ()


def _unpromised(run: Mapping[str, Json]) -> tuple[str, ...]:
    engine = run.get("engine")
    can = engine.get("can") if isinstance(engine, dict) else None
    if not isinstance(engine, dict) or not isinstance(can, dict):
        return ()
    return tuple(
        f"The engine “{engine.get('name')}” {said}" for name, said in UNPROMISED.items() if can.get(name) is False
    )


def _selftest(outcome: Mapping[str, Json]) -> Selftest | None:
    """Read `record/selftest.json`, of which no text is shown: it may hold prompts that are withheld."""
    prompts, changed = outcome.get("prompts"), outcome.get("changed")
    if type(prompts) is not int or not isinstance(changed, list) or not prompts:
        return None
    return Selftest(prompts, len(changed))


def _judge_selftests(contents: Contents) -> tuple[tuple[str, Selftest], ...]:
    judges = contents.selftest.get("judges")
    outcomes = judges if isinstance(judges, dict) else {}
    found = []
    for name in sorted(contents.manifest.judges):
        outcome = outcomes.get(name)
        if isinstance(outcome, dict) and (selftest := _selftest(outcome)):
            found.append((name, selftest))
    return tuple(found)


def _batch_dependent(environment: Mapping[str, Json]) -> bool:
    switches = environment.get("switches")
    known = {engine.capabilities.batch_invariance for engine in engines().values()}
    invariant = isinstance(switches, dict) and any(switches.get(name) == "1" for name in known if name)
    return bool(environment.get("accelerators")) and not invariant
