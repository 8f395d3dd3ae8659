"""A rehearsal: one small step of the whole way for each kind of arm, before anything long is begun.

Most of what goes wrong with a real model goes wrong at once and late: weights that cannot be saved after a training, an
adapter that does not merge, a model that the engine does not load. So each kind of arm is trained for one step, saved,
merged, loaded, asked two prompts and judged by the judges' models, with the very code that the run will use. What comes
out is thrown away.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from msgspec import structs

from kit.core.canonical import read_json
from kit.core.digests import json_digest
from kit.core.errors import OperationalError, Problem
from kit.run.backends.worker.jobs import TRACE
from kit.run.executor import Executor
from kit.run.judge_steps import in_order_of_engines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from kit.core.canonical import Json
    from kit.core.cells import ArmSeed
    from kit.core.progress import Progress
    from kit.run.executor import Backends
    from kit.run.judge_steps import JudgeStep
    from kit.run.plan import GenerateStep, Plan, TrainStep
    from kit.run.store import Store
    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.manifest.model import Manifest

PROMPTS = 2
"""How many are asked of each kind of arm."""
MAX_TOKENS = 8
"""How long the answers to them may be."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What was rehearsed."""

    arms: tuple[str, ...]
    """One of each kind."""
    seconds: float

    def to_json(self) -> dict[str, Json]:
        """Return what the run's record says of it."""
        return {"done": True, "arms": [*self.arms], "seconds": round(self.seconds, 3)}


def rehearse(
    loaded: LoadedManifest,
    plan: Plan,
    switches: Mapping[str, str],
    *,
    run_store: Store,
    store: Store,
    backends: Backends,
    progress: Progress,
) -> Rehearsed:
    """Go the whole way once in small; what was rehearsed before, in this store, is not done again.

    Args:
        loaded: the manifest.
        plan: of its run.
        switches: those that the run will set.
        run_store: of the run; a kind of arm of which everything is there needs no rehearsal.
        store: for what is rehearsed; it has to be another than the run's.
        backends: what does the heavy work.
        progress: who is told.

    Raises:
        OperationalError: a step failed, or memory was too small for it: it would fail after more was paid for.
    """
    began = time.monotonic()
    small = _in_small(plan, _of_each_kind(loaded, plan, run_store))
    if small.generation:
        progress.note("rehearsing: one training step and a few words of answers for each kind of arm")
    with store.locked():
        executor = Executor(
            places=loaded.places,
            store=store,
            backends=backends,
            switches=switches,
            progress=progress,
            total=small.steps,
            purpose="rehearse ",
        )
        executor.train(small.training)
        _require_memory(executor.lost.values())
        for step in small.training:
            for said in _said_of_rows(store.folder(step.key) / TRACE):
                progress.note(f"{step.weights}: {said}")
        executor.generate(small.generation)
        _require_memory(executor.lost.values())
        cells = {step.cell: step.key for step in small.generation}
        executor.judge(small.judging, lambda cell: executor.completions(cells[cell]))
    return Rehearsed(tuple(dict.fromkeys(step.cell.weights.arm for step in small.generation)), time.monotonic() - began)


def _said_of_rows(path: Path) -> Iterator[str]:
    """Yield what the trainer has found in all rows, and may be meant."""
    trace = cast("dict[str, Json]", read_json(path))
    rows, cut, dropped = (cast("int", trace[name]) for name in ("rows", "cut", "dropped"))
    if cut or dropped:
        yield f"of {rows + dropped} rows {cut} are cut to max_length and {dropped} left out"
    yield from map(str, cast("list[Json]", trace["notes"]))


def _require_memory(lost: Iterable[Problem]) -> None:
    remedy = "or measure the rest without it: --no-rehearsal"
    if problems := [replace(one, remedy=f"{one.remedy}, {remedy}") for one in lost]:
        raise OperationalError(problems)


def _of_each_kind(loaded: LoadedManifest, plan: Plan, run_store: Store) -> list[ArmSeed]:
    """Return one set of weights of each kind of arm: those that differ in more than numbers go different ways."""
    first: dict[str, ArmSeed] = {}
    for step in plan.generation:
        weights = step.cell.weights
        if run_store.folder(step.key).is_dir():
            continue
        first.setdefault(_kind(loaded.arms[weights.arm], is_tuned=step.is_tuned), weights)
    return [*first.values()]


def _kind(manifest: Manifest, *, is_tuned: bool) -> str:
    """Return the digest of what decides which code an arm goes through, and with which model."""
    finetune = manifest.finetune.to_json() if manifest.finetune and is_tuned else {}
    training = cast("dict[str, Json]", finetune.get("training") or {})
    ways = ("dtype", "packing", "quantization", "processes", "gradient_checkpointing", "system_prompt", "max_length")
    return json_digest(
        [
            manifest.model.identity(),
            manifest.model.dtype,
            manifest.engine.to_json(),
            [evaluation.system_prompt for evaluation in manifest.evaluations.values()],
            {name: value for name, value in finetune.items() if name != "training"},
            {name: training.get(name) for name in ways},
        ]
    )


def _in_small(plan: Plan, chosen: list[ArmSeed]) -> Plan:
    """Return the part of a plan that is rehearsed, cut down to a step and a few words."""
    training: dict[str, TrainStep] = {}
    for one in plan.training:
        if one.weights in chosen and one.key not in training:  # arms may share a training
            training[one.key] = _one_step(one)
    keys = {long: short.key for long, short in training.items()}
    generation = [_two_prompts(step, keys) for step in _asked_once(plan.generation, chosen)]
    cells = {step.cell: step for step in generation}
    judging = [_two_questions(step, cells[step.cell]) for step in plan.judging if step.cell in cells]
    return replace(
        plan,
        training=[*training.values()],
        generation=generation,
        self_tests=[],
        judging=in_order_of_engines(judging),
        judge_self_tests=[],
    )


def _asked_once(steps: Iterable[GenerateStep], chosen: list[ArmSeed]) -> list[GenerateStep]:
    """Return one step for each evaluation of the chosen weights, those of the same weights together."""
    first: dict[tuple[ArmSeed, str], GenerateStep] = {}
    for step in steps:
        if step.cell.weights in chosen and step.recorded is None:
            first.setdefault((step.cell.weights, step.cell.evaluation), step)
    return [*first.values()]


def _one_step(step: TrainStep) -> TrainStep:
    """Return one optimizer step over the longest rows: what fits in memory there, fits everywhere.

    All rows are there, so that what speaks against one of them is known, too.
    """
    training = step.finetune.training
    assert training is not None
    once = structs.replace(training, max_steps=1, epochs=None, gradient_accumulation_steps=1)
    small = structs.replace(once, shuffle=False, data_seed=None)
    rows = sorted(step.examples, key=lambda row: (-sum(map(len, row.texts)), row.id))
    key = json_digest([step.key, "rehearsal"])
    return replace(step, key=key, finetune=structs.replace(step.finetune, training=small), examples=rows)


def _two_prompts(step: GenerateStep, keys: Mapping[str, str]) -> GenerateStep:
    limits = step.evaluation.generation
    short = structs.replace(limits, max_tokens=min(limits.max_tokens, MAX_TOKENS))
    small = structs.replace(step.evaluation, generation=short)
    trained_by = keys[step.trained_by] if step.trained_by else None
    return replace(
        step,
        key=json_digest([step.key, "rehearsal", PROMPTS, MAX_TOKENS]),
        evaluation=small,
        prompts=step.prompts[:PROMPTS],
        trained_by=trained_by,
    )


def _two_questions(step: JudgeStep, generated: GenerateStep) -> JudgeStep:
    """Return a judge asked about the answers as they are: in so few words none has got to the end of its thinking."""
    asked = {prompt.id for prompt in generated.prompts}
    prompts = [prompt for prompt in step.prompts if prompt.id in asked]
    return replace(step, key=json_digest([step.key, "rehearsal", generated.key]), prompts=prompts, answer_after=None)
