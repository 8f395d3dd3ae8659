"""How long texts are in tokens: counted by the model's own tokenizer in a worker, or bounded by their bytes.

A byte-level tokenizer (as of GPT-2, Llama 3, Qwen 2) never makes more tokens of a text than it has bytes, and one with
byte fallback (Llama 2, Mistral, Gemma) one more. The bound is three to five times the count in English.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from kit.core.canonical import read_rows, write_rows
from kit.core.digests import json_digest
from kit.core.rows import Completion
from kit.run.backends.worker.jobs import PROMPTS, SHOWN, GenerationJob
from kit.spec.backends import ENGINE
from kit.spec.data.load import load_examples, load_prompts
from kit.spec.judges.template import fill
from kit.spec.manifest.model import Generation
from kit.spec.manifest.parts import EngineLimits
from kit.spec.manifest.template import read_template
from kit.spec.manifest.templates import chat_template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kit.run.executor import Worker
    from kit.spec.manifest.judge_model import JudgeModel
    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.manifest.model import Manifest
    from kit.spec.manifest.parts import Model


ENDLESS = EngineLimits(
    max_model_len=1 << 40,
    max_num_seqs=1,
    max_num_batched_tokens=1 << 40,
    kv_cache_mib=1,
    enforce_eager=True,
    enable_prefix_caching=False,
)
NOTHING = Generation(temperature=0, top_p=1, top_k=0, repetition_penalty=1, max_tokens=0)
"""Texts are only counted: no engine is loaded, and nothing is too long for it."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Of a list of texts, in tokens."""

    each: tuple[int, ...]
    is_counted: bool
    """Whether a tokenizer counted them; else they are upper bounds."""

    @property
    def longest(self) -> int:
        """The largest."""
        return max(self.each, default=0)

    def beyond(self, limit: int) -> int:
        """Return how many are longer than this, or may be."""
        return sum(length > limit for length in self.each)


@dataclass(frozen=True, slots=True)
class Reading:
    """Texts that a model reads in one way."""

    model: Model
    texts: tuple[str, ...]
    system_prompt: str | None
    chat: bool = True

    @property
    def key(self) -> str:
        """The same for readings that give the same tokens."""
        return json_digest([self.model.identity(), self.system_prompt, self.chat, json_digest([*self.texts])])


def asked_reading(loaded: LoadedManifest, manifest: Manifest, name: str) -> Reading:
    """Return the prompts of an evaluation, as an arm is asked them."""
    evaluation = manifest.evaluations[name]
    prompts = load_prompts(loaded.places, evaluation.data, manifest.data[evaluation.data])
    return Reading(manifest.model, tuple(prompt.text for prompt in prompts), evaluation.system_prompt)


def trained_reading(loaded: LoadedManifest, manifest: Manifest) -> Reading:
    """Return the rows that an arm is trained on; a row's turns stand as one, which saves each turn's few marks."""
    finetune = manifest.finetune
    assert finetune is not None
    assert finetune.data is not None
    assert finetune.training is not None
    rows = load_examples(loaded.places, finetune.data, manifest.data[finetune.data])
    return Reading(manifest.model, tuple("\n".join(row.texts) for row in rows), finetune.training.system_prompt)


def judged_reading(loaded: LoadedManifest, name: str, asked: JudgeModel) -> Reading:
    """Return what a judge's model is asked about an evaluation, less the completions, which nobody knows yet."""
    evaluation = loaded.manifest.evaluations[name]
    prompts = load_prompts(loaded.places, evaluation.data, loaded.manifest.data[evaluation.data])
    template = read_template(loaded.places, asked.template)
    empty = Completion(
        prompt_id="", text="", token_ids=(), finish_reason="stop", prompt_tokens="", template="", seed=0
    )  # fmt: skip
    return Reading(asked.model, tuple(fill(template, prompt, empty) for prompt in prompts), None, asked.chat)


def bounded(reading: Reading, template_bytes: int) -> Lengths:
    """Return upper bounds: the bytes of each text, of the system prompt, and of what the chat template writes."""
    around = (template_bytes if reading.chat else 0) + len((reading.system_prompt or "").encode()) + 1
    return Lengths(tuple(len(text.encode()) + around for text in reading.texts), is_counted=False)


def counted(
    loaded: LoadedManifest, readings: Mapping[str, Reading], worker: Worker, switches: Mapping[str, str]
) -> dict[str, Lengths]:
    """Return the lengths of readings, by key, as the models' own tokenizers and templates have them.

    Raises:
        OperationalError: a tokenizer cannot be loaded, or a template refuses a text.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folders = {key: Path(scratch) / str(number) for number, key in enumerate(readings)}
        jobs = [_job(loaded, reading, folders[key]) for key, reading in readings.items()]
        for _ in worker.run(f"{ENGINE}{PROMPTS}", jobs, switches, Path(scratch) / "log") if jobs else ():
            pass
        return {key: Lengths(tuple(_lengths(folder)), is_counted=True) for key, folder in folders.items()}


def _lengths(folder: Path) -> Iterator[int]:
    yield from cast("Sequence[int]", next(read_rows(folder / SHOWN))["lengths"])


def _job(loaded: LoadedManifest, reading: Reading, folder: Path) -> GenerationJob:
    folder.mkdir()
    prompts = folder / "prompts.jsonl"
    write_rows(prompts, ({"id": str(number), "text": text} for number, text in enumerate(reading.texts)))
    return GenerationJob(
        out=str(folder),
        model=str(loaded.places.whole(reading.model.source, folder / "model")),
        adapter=None,
        serving="merged",
        dtype=reading.model.dtype,
        template=chat_template(loaded.places, reading.model),
        limits=ENDLESS,
        generation=NOTHING,
        choices=None,
        chat=reading.chat,
        system_prompt=reading.system_prompt,
        prompts=str(prompts),
        seed=0,
        at_once=None,
    )
