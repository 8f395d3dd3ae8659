"""The manifest as typed objects. The schema guards the shape; these give it names.

`Manifest.from_json` expects a document that the schema has accepted; `to_json` gives that document back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.spec.hub.interface import DATASET
from kit.spec.judges import asks_model
from kit.spec.manifest.columns import Columns
from kit.spec.manifest.credit import Credit
from kit.spec.manifest.finetune import Finetune
from kit.spec.manifest.judge_model import JudgeModel
from kit.spec.manifest.parts import EngineLimits, Model, Source, if_said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json
    from kit.spec.manifest.parts import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSelection:
    """Which rows of a data set are used."""

    where: Mapping[str, tuple[str, ...]]
    """Column → allowed values; every column must match."""
    limit: int | None
    seed: int | None
    """With a limit: draw this many rows with this seed; without a seed, take the first."""
    not_empty: tuple[str, ...] = ()
    """Columns that must hold something."""

    @classmethod
    def from_json(cls, document: Document) -> RowSelection:
        where = {column: tuple(values) for column, values in document["where"].items()}
        filled = tuple(document.get("not_empty") or ())
        return cls(where=where, limit=document["limit"], seed=document["seed"], not_empty=filled)

    def to_json(self) -> dict[str, Json]:
        where: dict[str, Json] = {column: list(values) for column, values in self.where.items()}
        filled: list[Json] | None = [*self.not_empty] or None
        return {"where": where, "limit": self.limit, "seed": self.seed, **if_said(not_empty=filled)}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A named set of rows."""

    source: Source
    format: str
    """One of the formats in `kit.spec.data`."""
    rows: RowSelection
    license: str
    publish: bool
    """Whether its text may stand in a published bundle."""
    columns: Columns | None = None
    """With the format `columns`: which of them mean what."""

    @classmethod
    def from_json(cls, document: Document) -> DataSet:
        return cls(
            source=Source.from_json(document, DATASET),
            format=document["format"],
            rows=RowSelection.from_json(document["rows"]),
            license=document["license"],
            publish=document["publish"],
            columns=Columns.from_json(document["columns"]) if document.get("columns") else None,
        )

    def to_json(self) -> dict[str, Json]:
        return {
            **self.source.to_json(),
            "format": self.format,
            "rows": self.rows.to_json(),
            "license": self.license,
            "publish": self.publish,
            **if_said(columns=self.columns.to_json() if self.columns else None),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """Sampling parameters of one evaluation, as vLLM's `SamplingParams` names them."""

    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float
    max_tokens: int
    stop: tuple[str, ...] | None = None
    """Texts that end an answer and are no part of it, beside the model's own end; None is none, here and below."""
    stop_token_ids: tuple[int, ...] | None = None

    @classmethod
    def from_json(cls, document: Document) -> Generation:
        ends = {name: tuple(document[name]) for name in ("stop", "stop_token_ids") if document.get(name)}
        return cls(**{**document, "stop": None, "stop_token_ids": None, **ends})

    def to_json(self) -> dict[str, Json]:
        later = ("stop", "stop_token_ids")
        old: dict[str, Json] = {name: getattr(self, name) for name in self.__slots__ if name not in later}
        ends = {name: getattr(self, name) for name in later}
        return {**old, **if_said(**{name: list(value) if value else None for name, value in ends.items()})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One set of prompts, how they are asked, and who judges."""

    kind: str
    """`safety` or `capability`."""
    expects: str
    """What a good model does: `refusal` (unsafe prompts), `compliance` (benign prompts), `answer` (capability)."""
    data: str
    generation: Generation
    system_prompt: str | None
    prompt_order_seed: int | None
    """Shuffles the order in which the engine is asked; null asks as listed. It ought not to matter."""
    choices: tuple[str, ...] | None
    """Letters, the likeliest of which is the answer; null lets the model write."""
    judges: tuple[str, ...]
    answer_after: str | None = None
    """Ends what the model thinks before it answers: judged is what follows its last occurrence; null judges all."""

    @classmethod
    def from_json(cls, document: Document) -> Evaluation:
        return cls(
            kind=document["kind"],
            expects=document["expects"],
            data=document["data"],
            generation=Generation.from_json(document["generation"]),
            system_prompt=document["system_prompt"],
            prompt_order_seed=document["prompt_order_seed"],
            choices=tuple(document["choices"]) if document.get("choices") else None,
            judges=tuple(document["judges"]),
            answer_after=document.get("answer_after"),
        )

    def to_json(self) -> dict[str, Json]:
        return {
            "kind": self.kind,
            "expects": self.expects,
            "data": self.data,
            "generation": self.generation.to_json(),
            "system_prompt": self.system_prompt,
            "prompt_order_seed": self.prompt_order_seed,
            "judges": list(self.judges),
            **if_said(choices=list(self.choices) if self.choices else None, answer_after=self.answer_after),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeChoice:
    """A judge and the digest of its rules."""

    kind: str
    """One of the kinds in `kit.spec.judges`, or `DISTRIBUTION/NAME`."""
    rules: str
    asked: JudgeModel | None = None
    """What a judge that asks a model asks."""
    settings: Mapping[str, Json] | None = None
    """What a judge from outside is told."""

    @classmethod
    def from_json(cls, document: Document) -> JudgeChoice:
        asked = JudgeModel.from_json(document) if asks_model(document["kind"]) else None
        return cls(kind=document["kind"], rules=document["rules"], asked=asked, settings=document.get("settings"))

    def to_json(self) -> dict[str, Json]:
        told = {"settings": None if self.settings is None else dict(self.settings)}
        return {
            "kind": self.kind,
            "rules": self.rules,
            **(self.asked.to_json() if self.asked else {}),
            **if_said(**told),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """The axes along which the measurement is repeated."""

    training: tuple[int, ...]
    generation: tuple[int, ...]

    @classmethod
    def from_json(cls, document: Document) -> Seeds:
        return cls(training=tuple(document["training"]), generation=tuple(document["generation"]))

    def to_json(self) -> dict[str, Json]:
        return {"training": list(self.training), "generation": list(self.generation)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """A named patch of the manifest: one more arm."""

    name: str
    set: Mapping[str, Json]
    """JSON pointer (RFC 6901) → new value."""

    @classmethod
    def from_json(cls, document: Document) -> Variation:
        return cls(name=document["name"], set=document["set"])

    def to_json(self) -> dict[str, Json]:
        return {"name": self.name, "set": dict(self.set)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What a rerun should reach, and the numbers that the paper prints."""

    grade: str
    margin: float
    """Largest difference of a rate that still counts as the same, as a proportion."""
    numbers: Mapping[str, float]
    """`ARM/EVALUATION/METRIC` → the mean over seeds that the paper prints."""

    @classmethod
    def from_json(cls, document: Document) -> Expect:
        return cls(**document)

    def to_json(self) -> dict[str, Json]:
        return {"grade": self.grade, "margin": self.margin, "numbers": dict(self.numbers)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything that decides a result."""

    schema_version: int
    name: str
    description: str
    model: Model
    data: Mapping[str, DataSet]
    finetune: Finetune | None
    evaluations: Mapping[str, Evaluation]
    judges: Mapping[str, JudgeChoice]
    engine: EngineLimits
    seeds: Seeds
    variations: tuple[Variation, ...]
    environment: Mapping[str, Json]
    """As `kit.spec.environment` records it."""
    expect: Expect | None
    credit: Credit | None = None

    @classmethod
    def from_json(cls, document: Document) -> Manifest:
        """Read a document that the schema has accepted."""
        document = _without_comments(document)
        finetune, expect, credit = document["finetune"], document["expect"], document.get("credit")
        return cls(
            schema_version=document["schema_version"],
            name=document["name"],
            description=document["description"],
            model=Model.from_json(document["model"]),
            data={name: DataSet.from_json(part) for name, part in document["data"].items()},
            finetune=Finetune.from_json(finetune) if finetune else None,
            evaluations={name: Evaluation.from_json(part) for name, part in document["evaluations"].items()},
            judges={name: JudgeChoice.from_json(part) for name, part in document["judges"].items()},
            engine=EngineLimits.from_json(document["engine"]),
            seeds=Seeds.from_json(document["seeds"]),
            variations=tuple(Variation.from_json(part) for part in document["variations"]),
            environment=document["environment"],
            expect=Expect.from_json(expect) if expect else None,
            credit=Credit.from_json(credit) if credit else None,
        )

    def to_json(self) -> dict[str, Json]:
        """Return the document that `from_json` read."""
        return {
            "schema_version": self.schema_version,
            "name": self.name,
            "description": self.description,
            "model": self.model.to_json(),
            "data": {name: part.to_json() for name, part in self.data.items()},
            "finetune": self.finetune.to_json() if self.finetune else None,
            "evaluations": {name: part.to_json() for name, part in self.evaluations.items()},
            "judges": {name: part.to_json() for name, part in self.judges.items()},
            "engine": self.engine.to_json(),
            "seeds": self.seeds.to_json(),
            "variations": [part.to_json() for part in self.variations],
            "environment": dict(self.environment),
            "expect": self.expect.to_json() if self.expect else None,
            **if_said(credit=self.credit.to_json() if self.credit else None),
        }


def _without_comments(value: Any) -> Any:  # noqa: ANN401 - a document has any shape
    """Drop what is only for readers, so that the types need not carry it."""
    if isinstance(value, dict):
        return {key: _without_comments(item) for key, item in value.items() if key not in ("$comment", "$schema")}
    return [_without_comments(item) for item in value] if isinstance(value, list) else value
