"""Steps of a plan, done in a worker and stored; what is done already is found and not done again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from kit.core.canonical import read_json, write_rows
from kit.core.digests import json_digest
from kit.core.errors import OperationalError, Problem
from kit.core.rows import Completion, load_rows, save_rows
from kit.run.backends.worker.jobs import ADAPTER, COMPLETIONS, MERGED, MODEL, PROMPTS, GenerationJob, TrainingJob
from kit.spec.adapter.tokens import own_tokenizer
from kit.spec.backends import ENGINE, TRAINER
from kit.spec.manifest.templates import chat_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from kit.core.canonical import Json
    from kit.core.cells import Cell
    from kit.core.progress import Progress
    from kit.run.judge_steps import JudgeStep
    from kit.run.plan import GenerateStep, TrainStep
    from kit.run.store import Store
    from kit.spec.manifest.parts import Source
    from kit.spec.manifest.places import Places

    Step = TrainStep | GenerateStep | JudgeStep
    Job = TrainingJob | GenerationJob


class Worker(Protocol):
    """Runs heavy jobs elsewhere; `kit.run.backends.worker.process.Worker` is the real one."""

    def run(
        self, implementation: str, jobs: Sequence[Job], switches: Mapping[str, str], log: Path
    ) -> Iterator[dict[str, Json]]:
        """Yield `loaded`, `progress` and `finished` events, each with its `job`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """What does the heavy work; the tests put their own in place of each."""

    worker: Worker
    trainer: str = TRAINER
    """The name of a `kit.spec.backends.interface.TrainerKind`."""
    engine: str = ENGINE
    """The name of a `kit.spec.backends.interface.EngineKind`."""

    @property
    def prompts(self) -> str:
        """What shows prompts as a model sees them."""
        return self.engine + PROMPTS


@dataclass(slots=True, kw_only=True)
class Executor:
    """Does steps, in order, and remembers what it did."""

    places: Places
    """Where the manifest's files lie."""
    store: Store
    backends: Backends
    switches: Mapping[str, str]
    progress: Progress
    total: int
    """Steps of the whole run, for the progress."""
    purpose: str = ""
    """Stands before the names of steps, where these are not the run's own."""
    record: list[dict[str, Json]] = field(default_factory=list)
    """One entry a step: label, key, seconds, and whether it was there already."""
    engine_loads: int = 0
    """How often weights were loaded into an engine."""
    lost: dict[str, Problem] = field(default_factory=dict)
    """By key, the steps for which there was not enough memory."""

    def train(self, steps: Sequence[TrainStep]) -> None:
        """Fine-tune; a step for which there is not enough memory is lost, and the others go on.

        Raises:
            OperationalError: a step failed for another reason; the finished ones are safe.
        """
        self._do(self.backends.trainer, "training", [(step, partial(self._training_job, step)) for step in steps])

    def generate(self, steps: Sequence[GenerateStep]) -> None:
        """Ask the prompts; steps of the same weights stand together.

        A step for which there is not enough memory is lost, and the others go on.

        Raises:
            OperationalError: a step failed for another reason; the finished ones are safe.
        """
        for step in steps:
            if step.recorded is not None:
                save_rows(self.store.scratch(step.key) / COMPLETIONS, step.recorded)
                self.store.commit(step.key, {"seconds": 0})
                self._note(step, 0.0, reused=False)
        self._do(
            self.backends.engine,
            "generation",
            [(step, partial(self._generation_job, step)) for step in steps if step.recorded is None],
        )

    def judge(self, steps: Sequence[JudgeStep], completions: Callable[[Cell], Sequence[Completion]]) -> None:
        """Ask the judges' models, all in one worker; steps that can share an engine stand together.

        Args:
            steps: what to ask.
            completions: gives those of a cell, which are asked about; called when they are needed.

        Raises:
            OperationalError: a step failed; the finished ones are safe.
        """
        self._do(
            self.backends.engine,
            "judging",
            [(step, partial(self._judging_job, step, completions)) for step in steps],
        )
        if lost := [self.lost[step.key] for step in steps if step.key in self.lost]:
            raise OperationalError(lost)

    def completions(self, key: str) -> list[Completion]:
        """Return what a finished step wrote."""
        return load_rows(self.store.folder(key) / COMPLETIONS, Completion)

    def _do(self, implementation: str, kind: str, steps: Sequence[tuple[Step, Callable[[], Job]]]) -> None:
        pending: list[Step] = []
        jobs: list[Job] = []
        known: set[str] = set()
        for step, make_job in steps:
            if step.key in known:
                continue
            known.add(step.key)
            if (seconds := self._seconds(step)) is not None:
                self._note(step, seconds, reused=True)
            else:
                pending.append(step)
                jobs.append(make_job())
        if not pending:
            return
        log = self.store.root / "logs" / f"{kind}.log"
        log.parent.mkdir(exist_ok=True)
        began = time.monotonic()
        self.progress.started(self._name(pending[0]), len(self.record) + 1, self.total)
        for event in self.backends.worker.run(implementation, jobs, self.switches, log):
            number = cast("int", event["job"])
            step = pending[number]
            if event["event"] == "loaded":
                self.engine_loads += 1
                continue
            if event["event"] == "progress":
                self.progress.advanced(self._name(step), cast("int", event["done"]), cast("int", event["total"]))
                continue
            if event["event"] == "lost":
                self.lost[step.key] = Problem(self._name(step), str(event["what"]), str(event["remedy"]))
                self.progress.note(str(self.lost[step.key]))
                continue
            seconds, began = time.monotonic() - began, time.monotonic()
            self.store.commit(step.key, {"seconds": round(seconds, 3)})
            self._note(step, seconds, reused=False)
            if number + 1 < len(pending):
                self.progress.started(self._name(pending[number + 1]), len(self.record) + 1, self.total)

    def _name(self, step: Step) -> str:
        return f"{self.purpose}{step.label}"

    def _seconds(self, step: Step) -> float | None:
        note = self.store.note(step.key)
        return None if note is None else cast("float", note["seconds"])

    def _note(self, step: Step, seconds: float, *, reused: bool) -> None:
        entry: dict[str, Json] = {
            "step": step.label,
            "key": step.key,
            "seconds": round(seconds, 3),
            "reused": reused,
        }
        merged = self.store.folder(step.key) / MERGED
        if merged.is_file():
            entry["merged"] = read_json(merged)
        self.record.append(entry)
        self.progress.finished(self._name(step), seconds, reused=reused)

    def _training_job(self, step: TrainStep) -> TrainingJob:
        finetune, model = step.finetune, step.manifest.model
        assert finetune.training is not None
        assert step.weights.training_seed is not None
        examples = self._input(step.key)
        write_rows(examples, (row.to_json() for row in step.examples))
        return TrainingJob(
            out=str(self.store.scratch(step.key)),
            model=str(self._folder(model.source)),
            model_name=step.model_name,
            template=chat_template(self.places, model),
            examples=str(examples),
            training=finetune.training,
            lora=finetune.lora,
            seed=step.weights.training_seed,
        )

    def _generation_job(self, step: GenerateStep) -> GenerationJob:
        prompts = self._input(step.key)
        write_rows(prompts, ({"id": prompt.id, "text": prompt.text} for prompt in step.prompts))
        model, adapter = self._weights(step)
        finetune = step.manifest.finetune
        own = own_tokenizer(self.places, step.manifest) if step.is_tuned else None
        return GenerationJob(
            out=str(self.store.scratch(step.key)),
            model=str(model.resolve()),
            adapter=str(adapter.resolve()) if adapter else None,
            serving=finetune.serving if finetune else "merged",
            dtype=step.manifest.model.dtype,
            template=chat_template(self.places, own or step.manifest.model),
            limits=step.manifest.engine,
            generation=step.evaluation.generation,
            choices=step.evaluation.choices,
            chat=True,
            system_prompt=step.evaluation.system_prompt,
            keep_special_tokens=step.evaluation.answer_after is not None,
            must_end=step.evaluation.choices is None,
            prompts=str(prompts),
            seed=step.cell.generation_seed,
            at_once=step.at_once,
            tokenizer=str(self._folder(own.source)) if own else None,
        )

    def _judging_job(self, step: JudgeStep, completions: Callable[[Cell], Sequence[Completion]]) -> GenerationJob:
        questions, asked = self._input(step.key), step.asked
        write_rows(questions, ({"id": key, "text": text} for key, text in step.questions(completions(step.cell))))
        return GenerationJob(
            out=str(self.store.scratch(step.key)),
            model=str(self._folder(asked.model.source)),
            adapter=None,
            serving="merged",
            dtype=asked.model.dtype,
            template=chat_template(self.places, asked.model),
            limits=asked.engine,
            generation=step.generation,
            choices=None,
            chat=asked.chat,
            system_prompt=None,
            prompts=str(questions),
            seed=0,
            at_once=step.at_once,
        )

    def _weights(self, step: GenerateStep) -> tuple[Path, Path | None]:
        """Return the model's folder and the adapter's, if there is one."""
        base = self._folder(step.manifest.model.source)
        finetune = step.manifest.finetune
        if step.trained_by is not None:
            trained = self.store.folder(step.trained_by)
            return (base, trained / ADAPTER) if (trained / ADAPTER).is_dir() else (trained / MODEL, None)
        if finetune and finetune.adapter and step.is_tuned:
            return base, self._folder(finetune.adapter)
        return base, None

    def _folder(self, source: Source) -> Path:
        """Return the folder that a worker reads as a whole."""
        name = json_digest(source.to_json()).rpartition(":")[2]
        return self.places.whole(source, self.store.root / "inputs" / name)

    def _input(self, key: str) -> Path:
        folder = self.store.root / "inputs"
        folder.mkdir(exist_ok=True)
        return (folder / f"{key.rpartition(':')[2]}.jsonl").resolve()
