"""What a run will cost: what is new in its plan, what cells share, what a store has already, and about how long.

Nothing is run for it, so it can be told where there is no torch.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, cast

from kit.run.judge_steps import JudgeStep
from kit.run.plan import GenerateStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kit.core.canonical import Json
    from kit.core.cells import ArmSeed
    from kit.run.plan import Plan, TrainStep
    from kit.run.store import Store

    Step = TrainStep | GenerateStep | JudgeStep

NEW, DONE, SHARED = "new", "done", "shared"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the result of a step comes from."""

    status: str
    """`new`: it will be run. `done`: the store has it. `shared`: it is another cell's step."""
    of: str = ""
    """With `shared`, whose: `ARM@SEED` of a training, `ARM@SEED.EVALUATION` of a generation."""

    def to_json(self) -> dict[str, Json]:
        """Return the origin for machines."""
        return {"status": self.status, "with": self.of or None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One set of weights × evaluation, its generation seeds folded into counts."""

    weights: ArmSeed
    evaluation: str
    prompts: int
    training: Origin | None
    """None where nothing is trained."""
    generation: Mapping[Origin, int]
    """How many generation seeds have their completions from where."""

    @property
    def seeds(self) -> int:
        """How many generation seeds there are: the cells of this line."""
        return sum(self.generation.values())

    def to_json(self) -> dict[str, Json]:
        """Return the line for machines."""
        return {
            "arm": self.weights.arm,
            "training_seed": self.weights.training_seed,
            "evaluation": self.evaluation,
            "prompts": self.prompts,
            "generation_seeds": self.seeds,
            "training": self.training.to_json() if self.training else None,
            "generation": [{**origin.to_json(), "seeds": count} for origin, count in self.generation.items()],
        }


@dataclass(frozen=True, slots=True)
class KeyedStep:
    """One step by its name and by what decides its result."""

    label: str
    """Of the first that needs it, where several do."""
    key: str
    done: bool
    """Whether the store has it."""

    def to_json(self) -> dict[str, Json]:
        """Return the step as the record of a run names it."""
        return {"step": self.label, "key": self.key, "done": self.done}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a run of a plan would do, given a store."""

    lines: list[Line]
    """In the order of the plan."""
    keyed: list[KeyedStep]
    """Every different step, in the order in which a run does them."""
    cells: int
    steps: int
    """Different steps, self-tests included: those to run and those reused."""
    trainings: int
    """To run."""
    generations: int
    """To run, as are the next three."""
    judgings: int
    """Cells about which a judge's model is asked."""
    self_tests: int
    engine_loads: int
    reused: int
    """Steps that the store has."""
    training_seconds: float | None
    """Of what is to run; None where no training of this plan has been measured yet."""
    generation_seconds: float | None
    """Of what is to run, self-tests included; None where no generation of this plan has been measured yet."""
    judging_seconds: float | None
    """The same of judges that ask a model."""

    def to_json(self) -> dict[str, Json]:
        """Return the forecast for machines."""
        totals = ("cells", "steps", "trainings", "generations", "judgings", "self_tests", "engine_loads", "reused")
        return {
            "lines": [line.to_json() for line in self.lines],
            "keys": [step.to_json() for step in self.keyed],
            **{name: getattr(self, name) for name in totals},
            "training_seconds": self.training_seconds,
            "generation_seconds": self.generation_seconds,
            "judging_seconds": self.judging_seconds,
        }


def forecast(plan: Plan, store: Store) -> Forecast:
    """Return what a run of this plan would do with this store, which need not exist."""
    trained = {step.key: step for step in plan.training}
    asked = {step.key: step for step in plan.asked}
    judged = {step.key: step for step in plan.judged}
    done = _finished([*trained, *asked, *judged], store)
    to_ask = [step for step in asked.values() if step.key not in done]
    to_judge = [step for step in judged.values() if step.key not in done]
    return Forecast(
        lines=_lines(plan, done),
        keyed=_keyed([*plan.training, *plan.asked, *plan.judged], done),
        cells=len(plan.generation),
        steps=len(trained) + len(asked) + len(judged),
        trainings=len(trained.keys() - done.keys()),
        generations=sum(not step.is_self_test for step in to_ask),
        judgings=sum(not step.is_self_test for step in to_judge),
        self_tests=sum(step.is_self_test for step in to_ask) + sum(step.is_self_test for step in to_judge),
        # Generation and judging are done by workers of their own.
        engine_loads=len({step.engine for step in to_ask}) + len({step.engine for step in to_judge}),
        reused=len(done),
        training_seconds=_seconds(trained.values(), done),
        generation_seconds=_seconds(asked.values(), done),
        judging_seconds=_seconds(judged.values(), done),
    )


def _keyed(steps: Iterable[Step], done: Mapping[str, float]) -> list[KeyedStep]:
    labels: dict[str, str] = {}
    for step in steps:
        labels.setdefault(step.key, step.label)
    return [KeyedStep(label, key, key in done) for key, label in labels.items()]


def _finished(keys: Iterable[str], store: Store) -> dict[str, float]:
    """Return the seconds that each finished step took, by key."""
    notes = {key: store.note(key) for key in keys}
    return {key: cast("float", note["seconds"]) for key, note in notes.items() if note is not None}


def _lines(plan: Plan, done: Mapping[str, float]) -> list[Line]:
    owners: dict[str, str] = {}
    training = {step.weights: _origin(step.key, str(step.weights), done, owners) for step in plan.training}
    lines = []
    for (weights, name), group in groupby(plan.generation, lambda step: (step.cell.weights, step.cell.evaluation)):
        steps = list(group)
        origins = Counter(_origin(step.key, f"{weights}.{name}", done, owners) for step in steps)
        lines.append(
            Line(
                weights=weights,
                evaluation=name,
                prompts=len(steps[0].prompts),
                training=training.get(weights),
                generation=dict(origins),
            )
        )
    return lines


def _origin(key: str, asker: str, done: Mapping[str, float], owners: dict[str, str]) -> Origin:
    """Return where a step's result comes from: whoever asks first owns it."""
    if owners.setdefault(key, asker) != asker:
        return Origin(SHARED, owners[key])
    return Origin(DONE if key in done else NEW)


def _seconds(steps: Iterable[Step], done: Mapping[str, float]) -> float | None:
    """Return how long the steps that are not done may take, at the pace of those that are."""
    finished, to_run = _parted(list(steps), done)
    if not to_run:
        return 0.0
    if not finished:
        return None
    pace = sum(done[step.key] for step in finished) / sum(map(_work, finished))
    return round(pace * sum(map(_work, to_run)), 1)


def _parted(steps: Sequence[Step], done: Mapping[str, float]) -> tuple[list[Step], list[Step]]:
    return [step for step in steps if step.key in done], [step for step in steps if step.key not in done]


def _work(step: Step) -> int:
    """Return what a step's time grows with: rows that are trained on, or tokens that may be written."""
    if isinstance(step, GenerateStep):
        return len(step.prompts) * step.evaluation.generation.max_tokens
    if isinstance(step, JudgeStep):
        return len(step.prompts) * step.asked.max_tokens
    training = step.finetune.training
    assert training is not None
    if training.max_steps is not None:
        return training.max_steps * training.effective_batch_size
    return (training.epochs or 1) * len(step.examples)
