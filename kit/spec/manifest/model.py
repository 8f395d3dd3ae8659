"""The manifest as typed objects: `Manifest.from_json` reads a document that the schema has accepted."""

from __future__ import annotations

from collections.abc import Mapping

from kit.spec.judges import asks_model
from kit.spec.manifest.base import AnyJson, Number, Part
from kit.spec.manifest.columns import Columns
from kit.spec.manifest.credit import Credit
from kit.spec.manifest.finetune import Finetune
from kit.spec.manifest.judge_model import JudgeModel
from kit.spec.manifest.parts import DataSource, EngineLimits, Model, Source, source_of


class RowSelection(Part, frozen=True, kw_only=True):
    """Which rows of a data set are used."""

    where: Mapping[str, tuple[str, ...]]
    """Column → allowed values; every column must match."""
    limit: int | None
    seed: int | None
    """With a limit: draw this many rows with this seed; without a seed, take the first."""
    not_empty: tuple[str, ...] = ()
    """Columns that must hold something."""


class DataSet(DataSource, frozen=True, kw_only=True):
    """A named set of rows."""

    format: str
    """One of the formats in `kit.spec.data`."""
    rows: RowSelection
    license: str
    publish: bool
    """Whether its text may stand in a published bundle."""
    columns: Columns | None = None
    """With the format `columns`: which of them mean what."""

    @property
    def source(self) -> Source:
        """Where its files come from."""
        return source_of(self, DataSource)


class Generation(Part, frozen=True, kw_only=True):
    """Sampling parameters of one evaluation, as vLLM's `SamplingParams` names them."""

    temperature: Number
    top_p: Number
    top_k: int
    repetition_penalty: Number
    max_tokens: int
    stop: tuple[str, ...] | None = None
    """Texts that end an answer and are no part of it, beside the model's own end; None is none, here and below."""
    stop_token_ids: tuple[int, ...] | None = None


class Evaluation(Part, frozen=True, kw_only=True):
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
    judges: tuple[str, ...]
    choices: tuple[str, ...] | None = None
    """Letters, the likeliest of which is the answer; null lets the model write."""
    answer_after: str | None = None
    """Ends what the model thinks before it answers: judged is what follows its last occurrence; null judges all."""


class JudgeChoice(Part, frozen=True, kw_only=True):
    """A judge and the digest of its rules; from `model` to `engine` stands what one that asks a model asks."""

    kind: str
    """One of the kinds in `kit.spec.judges`, or `DISTRIBUTION/NAME`."""
    rules: str
    model: Model | None = None
    template: Source | None = None
    chat: bool | None = None
    read: str | None = None
    answers: Mapping[str, str] | None = None
    max_tokens: int | None = None
    engine: EngineLimits | None = None
    settings: Mapping[str, AnyJson] | None = None
    """What a judge from outside is told."""

    @property
    def asked(self) -> JudgeModel | None:
        """What a judge that asks a model asks; no other asks anybody."""
        if not asks_model(self.kind):
            return None
        return JudgeModel(**{name: getattr(self, name) for name in JudgeModel.__struct_fields__})


class Seeds(Part, frozen=True, kw_only=True):
    """The axes along which the measurement is repeated."""

    training: tuple[int, ...]
    generation: tuple[int, ...]


class Variation(Part, frozen=True, kw_only=True):
    """A named patch of the manifest: one more arm."""

    name: str
    set: Mapping[str, AnyJson]
    """JSON pointer (RFC 6901) → new value."""


class Expect(Part, frozen=True, kw_only=True):
    """What a rerun should reach, and the numbers that the paper prints."""

    grade: str
    margin: Number
    """Largest difference of a rate that still counts as the same, as a proportion."""
    numbers: Mapping[str, Number]
    """`ARM/EVALUATION/METRIC` → the mean over seeds that the paper prints."""


class Manifest(Part, frozen=True, kw_only=True):
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
    environment: Mapping[str, AnyJson]
    """As `kit.spec.environment` records it."""
    expect: Expect | None
    credit: Credit | None = None
