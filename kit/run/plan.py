"""The plan: which cells are measured, and the steps that they share.

A step's key is the digest of everything that decides its result. Cells that need the same step find it under the same
key, in this run or in an earlier one: five generation seeds cost one training.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from kit.core.cells import BASE, ArmSeed, Cell
from kit.core.digests import json_digest
from kit.core.rows import Completion
from kit.run.judge_steps import JudgeStep, in_order_of_engines, judge_self_tests, judge_step
from kit.run.versions import GENERATION_VERSION, TRAINING_VERSION
from kit.spec.data.load import load_examples, load_prompts, load_recorded
from kit.spec.manifest.arms import weights_of
from kit.spec.manifest.template import read_template

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from kit.core.canonical import Json
    from kit.core.rows import Prompt
    from kit.spec.data.interface import Example
    from kit.spec.manifest.finetune import Finetune
    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.manifest.model import Evaluation, Manifest

SELF_TEST_PROMPTS = 32
"""How many prompts of each set of weights are asked again."""
SELF_TEST_AT_ONCE = 5
"""And how many at a time, so that batches differ in size and company."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainStep:
    """One fine-tuning."""

    key: str
    weights: ArmSeed
    finetune: Finetune
    manifest: Manifest
    examples: list[Example]

    @property
    def model_name(self) -> str:
        """How an adapter's own configuration names its base model: by content, wherever that came from."""
        return json_digest(dict(self.manifest.model.source.files))

    @property
    def label(self) -> str:
        """How the step is called in progress and record."""
        return f"train {self.weights}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateStep:
    """One list of prompts asked of one set of weights."""

    key: str
    cell: Cell
    manifest: Manifest
    evaluation: Evaluation
    prompts: list[Prompt]
    """In the order of asking."""
    trained_by: str | None
    """Key of the training whose weights are asked; None for the base and for an adapter that exists."""
    engine: str
    """Digest of what an engine is loaded with: steps that have it in common can share one."""
    at_once: int | None = None
    is_self_test: bool = False
    recorded: Sequence[Completion] | None = None
    """What was answered before, where nobody needs to be asked; in the order of the prompts."""

    @property
    def is_tuned(self) -> bool:
        """Whether something stands between the base model and these weights."""
        return self.cell.weights.arm != BASE

    @property
    def label(self) -> str:
        """How the step is called in progress and record."""
        return f"self-test {self.cell.weights}" if self.is_self_test else f"generate {self.cell}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run will do."""

    prompts: Mapping[str, list[Prompt]]
    """By evaluation, in the order of the data set; variations cannot change them."""
    training: list[TrainStep]
    generation: list[GenerateStep]
    self_tests: list[GenerateStep]
    judging: list[JudgeStep]
    """In which the judges' models are asked about what was generated."""
    judge_self_tests: list[JudgeStep]

    @property
    def judged(self) -> list[JudgeStep]:
        """Every judging, self-tests included, those together that can share an engine."""
        return in_order_of_engines([*self.judging, *self.judge_self_tests])

    @property
    def asked(self) -> list[GenerateStep]:
        """Every generation, self-tests included, those together that can share an engine."""
        groups: dict[str, list[GenerateStep]] = {}
        for step in (*self.generation, *self.self_tests):
            groups.setdefault(step.engine, []).append(step)
        return [step for steps in groups.values() for step in steps]

    def without(self, lost: Collection[str]) -> Plan:
        """Return what is left of the plan when these steps cannot be done: nothing that needs one of them."""
        generation = [step for step in self.generation if not {step.key, step.trained_by} & {*lost}]
        cells = {step.cell for step in generation}
        return replace(
            self,
            training=[step for step in self.training if step.weights in {cell.weights for cell in cells}],
            generation=generation,
            self_tests=[step for step in self.self_tests if step.cell in cells and step.key not in lost],
            judging=[step for step in self.judging if step.cell in cells],
            judge_self_tests=[step for step in self.judge_self_tests if step.cell in cells],
        )

    @property
    def steps(self) -> int:
        """How many different steps there are."""
        done = {step.key for step in self.training} | {step.key for step in self.asked}
        return len(done | {step.key for step in self.judged})


def make_plan(loaded: LoadedManifest, environment: Mapping[str, Json]) -> Plan:
    """Return the plan of a manifest.

    Args:
        loaded: a manifest whose files have been checked.
        environment: the one that will run it, since other software and other processors give other bytes.

    Raises:
        CheckFailed: rows of a data set do not fit.
    """
    prompts = _prompts(loaded)
    where_run = decisive(environment)
    training: dict[ArmSeed, TrainStep] = {}
    generation: list[GenerateStep] = []
    for arm, of_arm in loaded.arms.items():
        for weights in weights_of(arm, of_arm):
            trained_by = None
            if weights.training_seed is not None:
                training[weights] = _train_step(loaded, weights, of_arm, where_run)
                trained_by = training[weights].key
            generation += _generate_steps(weights, of_arm, prompts, trained_by, where_run)
    if loaded.manifest.model.is_recorded:
        generation = [replace(step, recorded=_recorded(loaded, step.evaluation)) for step in generation]
    judging = _judge_steps(loaded, generation, prompts, where_run)
    return Plan(
        prompts=prompts,
        training=list(training.values()),
        generation=generation,
        self_tests=[_self_test(steps) for steps in _by_weights(generation).values() if not steps[0].recorded],
        judging=judging,
        judge_self_tests=judge_self_tests(judging),
    )


def _prompts(loaded: LoadedManifest) -> dict[str, list[Prompt]]:
    manifest = loaded.manifest
    return {
        name: load_prompts(loaded.places, evaluation.data, manifest.data[evaluation.data])
        for name, evaluation in manifest.evaluations.items()
    }


def _train_step(loaded: LoadedManifest, weights: ArmSeed, manifest: Manifest, where_run: Json) -> TrainStep:
    finetune = manifest.finetune
    assert finetune is not None
    assert finetune.data is not None
    examples = load_examples(loaded.places, finetune.data, manifest.data[finetune.data])
    decides: dict[str, Json] = {
        "step": "train",
        "version": TRAINING_VERSION,
        **manifest.model.identity(),
        "method": finetune.method,
        "training": finetune.training.to_json() if finetune.training else None,
        "lora": finetune.lora.to_json() if finetune.lora else None,
        "examples": [example.to_json() for example in examples],
        "seed": weights.training_seed,
        "where": where_run,
    }
    return TrainStep(key=json_digest(decides), weights=weights, finetune=finetune, manifest=manifest, examples=examples)


def _generate_steps(
    weights: ArmSeed, manifest: Manifest, prompts: Mapping[str, list[Prompt]], trained_by: str | None, where_run: Json
) -> Iterator[GenerateStep]:
    applied = _applied_weights(weights, manifest, trained_by)
    served: dict[str, Json] = {
        "model": dict(manifest.model.source.files),
        "dtype": manifest.model.dtype,
        "weights": applied,
        "engine": manifest.engine.to_json(),
    }
    # One engine serves all adapters of a base, each request naming its own.
    shared: dict[str, Json] = {"weights": ["adapters", _own_tokenizer(weights, manifest)]}
    engine = json_digest(served | (shared if applied and applied[-1] == "adapter" else {}))
    for name, evaluation in manifest.evaluations.items():
        asked = list(prompts[name])
        if evaluation.prompt_order_seed is not None:
            Random(evaluation.prompt_order_seed).shuffle(asked)  # noqa: S311 - no secret
        for seed in manifest.seeds.generation:
            decides: dict[str, Json] = {
                "step": "generate",
                "version": GENERATION_VERSION,
                **served,
                **manifest.model.identity(),
                **({"choices": [*evaluation.choices]} if evaluation.choices else {}),
                **({"special_tokens": True} if evaluation.answer_after else {}),
                "generation": evaluation.generation.to_json(),
                "system_prompt": evaluation.system_prompt,
                "prompts": [[prompt.id, prompt.text] for prompt in asked],
                "seed": seed,
                "where": where_run,
            }
            yield GenerateStep(
                key=json_digest(decides),
                cell=Cell(weights, name, seed),
                manifest=manifest,
                evaluation=evaluation,
                prompts=asked,
                trained_by=trained_by,
                engine=engine,
            )


def _applied_weights(weights: ArmSeed, manifest: Manifest, trained_by: str | None) -> list[Json] | None:
    """Return what stands between the base model and these weights: training, adapter that exists, serving.

    Also whether the tokenizer is the adapter's.
    """
    if weights.arm == BASE or manifest.finetune is None:
        return None
    adapter = manifest.finetune.adapter
    own = _own_tokenizer(weights, manifest)
    return [trained_by, dict(adapter.files) if adapter else None, *([own] if own else []), manifest.finetune.serving]


def _own_tokenizer(weights: ArmSeed, manifest: Manifest) -> Json:
    """Return what decides the tokenizer where it is not the base's."""
    own = manifest.finetune.own_tokenizer if manifest.finetune and weights.arm != BASE else None
    return {"tokenizer": dict(own.files)} if own else None


def _recorded(loaded: LoadedManifest, evaluation: Evaluation) -> list[Completion]:
    """Return the answers that a data set brings, as if they had just been given: a byte of the text for each token."""
    return [
        Completion(
            prompt_id=row.id,
            text=row.completion,
            token_ids=tuple(row.completion.encode()),
            finish_reason="stop",
            prompt_tokens=json_digest([*row.prompt.encode()]),
            template=json_digest(None),
            seed=0,
        )
        for row in load_recorded(loaded.places, evaluation.data, loaded.manifest.data[evaluation.data])
    ]


def _by_weights(steps: list[GenerateStep]) -> dict[ArmSeed, list[GenerateStep]]:
    groups: dict[ArmSeed, list[GenerateStep]] = {}
    for step in steps:
        groups.setdefault(step.cell.weights, []).append(step)
    return groups


def _self_test(steps: list[GenerateStep]) -> GenerateStep:
    """Return the question asked again, backwards and in small batches: of the cell most likely to show a difference."""
    of = max(steps, key=lambda step: (step.evaluation.generation.temperature, step.evaluation.generation.max_tokens))
    return GenerateStep(
        key=json_digest([of.key, "self-test", SELF_TEST_PROMPTS, SELF_TEST_AT_ONCE]),
        cell=of.cell,
        manifest=of.manifest,
        evaluation=of.evaluation,
        prompts=of.prompts[:SELF_TEST_PROMPTS][::-1],
        trained_by=of.trained_by,
        engine=of.engine,
        at_once=SELF_TEST_AT_ONCE,
        is_self_test=True,
    )


def _judge_steps(
    loaded: LoadedManifest, generation: list[GenerateStep], prompts: Mapping[str, list[Prompt]], where_run: Json
) -> list[JudgeStep]:
    asked = {name: judge.asked for name, judge in loaded.manifest.judges.items() if judge.asked}
    templates = {name: read_template(loaded.places, one.template) for name, one in asked.items()}
    return [
        judge_step(
            step.cell,
            name,
            asked[name],
            templates[name],
            prompts[step.cell.evaluation],
            judged=step.key,
            answer_after=step.evaluation.answer_after,
            where_run=where_run,
        )
        for step in generation
        for name in step.evaluation.judges
        if name in asked
    ]


def decisive(environment: Mapping[str, Json]) -> Json:
    """Return the part of an environment that can decide bytes; which kit it is, `kit.run.versions` says."""
    platform = environment["platform"]
    assert isinstance(platform, dict)
    processor: dict[str, Json] = {name: platform[name] for name in ("machine", "cpu", "vector_extensions")}
    kept: dict[str, Json] = {name: environment[name] for name in ("python", "packages", "accelerators", "switches")}
    return kept | processor
