"""What the model will see: the first prompt of every way in which an evaluation is asked, token by token."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from kit.core.canonical import read_rows, write_rows
from kit.core.cells import BASE
from kit.core.errors import Problem, child_path
from kit.run.backends.worker.jobs import SHOWN, GenerationJob
from kit.spec.adapter.tokens import own_tokenizer
from kit.spec.data.load import load_prompts
from kit.spec.manifest.templates import chat_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kit.core.canonical import Json
    from kit.run.executor import Backends
    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.manifest.model import Evaluation, Manifest
    from kit.spec.manifest.parts import Model


_OTHER_SYSTEM_PROMPT = ("the model is trained with another system prompt than it is asked with",)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedPrompt:
    """One way in which an evaluation is asked."""

    evaluation: str
    arms: tuple[str, ...]
    """That ask it so."""
    prompts: int
    prompt_id: str
    """Of the first prompt, which is shown."""
    text: str
    """All tokens as text, special ones included."""
    tokens: tuple[tuple[int, str], ...]
    longest: tuple[str, int]
    """The prompt with the most tokens, and how many."""
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Json]:
        """Return the same for machines."""
        return {
            "evaluation": self.evaluation,
            "arms": [*self.arms],
            "prompts": self.prompts,
            "prompt_id": self.prompt_id,
            "text": self.text,
            "token_ids": [token for token, _ in self.tokens],
            "longest": {"prompt_id": self.longest[0], "tokens": self.longest[1]},
            "problems": [*self.problems],
            "notes": [*self.notes],
        }


def show_prompts(loaded: LoadedManifest, backends: Backends, switches: Mapping[str, str]) -> list[RenderedPrompt]:
    """Return what the model will see, by evaluation and, where arms differ in it, by arms.

    Raises:
        CheckFailed: rows of a data set do not fit.
        OperationalError: the tokenizer cannot be loaded, or a template refuses a prompt.
    """
    if loaded.manifest.model.is_recorded:
        return []
    asked: dict[tuple[str, str], tuple[list[str], Manifest, Model | None]] = {}
    for arm, manifest in loaded.arms.items():
        for name, evaluation in manifest.evaluations.items():
            own = own_tokenizer(loaded.places, manifest) if arm != BASE else None
            model, generation = own or manifest.model, evaluation.generation
            ends = (generation.max_tokens, generation.stop, generation.stop_token_ids, evaluation.answer_after)
            way = repr((own, model.asks_as(), evaluation.system_prompt, ends))
            asked.setdefault((name, way), ([], manifest, own))[0].append(arm)
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch) / str(number) for number in range(len(asked))]
        jobs = [
            _job(loaded, name, manifest, own, folder)
            for ((name, _), (_, manifest, own)), folder in zip(asked.items(), folders, strict=True)
        ]
        for _ in backends.worker.run(backends.prompts, jobs, switches, Path(scratch) / "log"):
            pass
        return [
            _shown(name, arms, manifest.evaluations[name], manifest, next(read_rows(folder / SHOWN)))
            for ((name, _), (arms, manifest, _)), folder in zip(asked.items(), folders, strict=True)
        ]


def prompt_problems(loaded: LoadedManifest, shown: Iterable[RenderedPrompt]) -> list[Problem]:
    """Return what is wrong with prompts as the model sees them."""
    remedy = f"`kit check {loaded.path} --show-prompt` shows what the model sees"
    return [
        Problem(str(loaded.path), problem, remedy, child_path("$.evaluations", one.evaluation))
        for one in shown
        for problem in one.problems
    ]


def _job(loaded: LoadedManifest, name: str, manifest: Manifest, own: Model | None, folder: Path) -> GenerationJob:
    evaluation = manifest.evaluations[name]
    folder.mkdir()
    prompts = folder / "prompts.jsonl"
    rows = load_prompts(loaded.places, evaluation.data, manifest.data[evaluation.data])
    write_rows(prompts, ({"id": row.id, "text": row.text} for row in rows))
    return GenerationJob(
        out=str(folder),
        model=str(loaded.places.whole(manifest.model.source, folder / "model")),
        adapter=None,
        serving="merged",
        dtype=manifest.model.dtype,
        template=chat_template(loaded.places, own or manifest.model),
        limits=manifest.engine,
        generation=evaluation.generation,
        choices=None,
        chat=True,
        system_prompt=evaluation.system_prompt,
        keep_special_tokens=evaluation.answer_after is not None,
        must_end=evaluation.choices is None,
        prompts=str(prompts),
        seed=0,
        at_once=None,
        tokenizer=str(loaded.places.whole(own.source, folder / "tokenizer")) if own else None,
    )


def _shown(
    name: str, arms: list[str], evaluation: Evaluation, manifest: Manifest, row: Mapping[str, Json]
) -> RenderedPrompt:
    training = manifest.finetune.training if manifest.finetune else None
    other = training is not None and training.system_prompt != evaluation.system_prompt
    longest = cast("dict[str, Json]", row["longest"])
    found = cast("list[dict[str, Json]]", row["tokens"])
    return RenderedPrompt(
        evaluation=name,
        arms=tuple(arms),
        prompts=cast("int", row["prompts"]),
        prompt_id=str(row["prompt_id"]),
        text=str(row["text"]),
        tokens=tuple((cast("int", token["id"]), str(token["text"])) for token in found),
        longest=(str(longest["prompt_id"]), cast("int", longest["tokens"])),
        problems=tuple(map(str, cast("list[Json]", row["problems"]))),
        notes=(*(_OTHER_SYSTEM_PROMPT if other else ()), *map(str, cast("list[Json]", row["notes"]))),
    )
