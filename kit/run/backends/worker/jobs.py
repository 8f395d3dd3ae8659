"""What a worker is asked to do: typed objects that cross to another process as JSON, and are what they were there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from kit.spec.chat.template import ChatTemplate
from kit.spec.manifest.finetune import Lora, Training
from kit.spec.manifest.model import Generation
from kit.spec.manifest.parts import EngineLimits

if TYPE_CHECKING:
    from collections.abc import Sequence

PROMPTS = "-prompts"
"""Ends the name by which an engine is asked to show prompts, and not to answer them."""
ADAPTER = "adapter"
"""Folder of a training's output: the adapter as PEFT saves it."""
MODEL = "model"
"""Folder of a full fine-tuning's output: a whole model."""
TRACE = "trace.json"
"""File of a training's output: digests, losses, order of the data."""
COMPLETIONS = "completions.jsonl"
"""File of a generation's output."""
LOGPROB_MARGINS = "logprob-margins.jsonl"
"""File of how sure a generation was of each token."""
MERGED = "merged.json"
"""File of how exactly the weights that a generation asked had been merged, where they had been."""
SHOWN = "shown.jsonl"
"""File of what a model would see."""


class TrainingJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fine-tuning; writes `TRACE` and `ADAPTER` or `MODEL` into `out`."""

    out: str
    model: str
    """Folder of the base model."""
    model_name: str
    """Its identity, for the adapter's own metadata: where the model lay may not enter a payload."""
    template: ChatTemplate
    examples: str
    """JSONL of `id` and `messages` (each `role`, `content`, and `is_learned` where it is false) or `text`, in the order
    of the data set."""
    training: Training
    lora: Lora | None
    seed: int


class GenerationJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One list of prompts asked of one set of weights; writes `COMPLETIONS` and `LOGPROB_MARGINS` into `out`, as asked.

    Beside them `MERGED`, where an adapter was merged for it.
    """

    out: str
    model: str
    """Folder of the base model, or of a fully fine-tuned one."""
    adapter: str | None
    serving: str
    """`merged` or `adapter`; without an adapter it does not matter."""
    dtype: str
    template: ChatTemplate
    limits: EngineLimits
    generation: Generation
    choices: tuple[str, ...] | None
    """As an evaluation's: texts of one token each, the likeliest of which is the answer."""
    chat: bool
    """Whether a prompt is a user's message for the model's chat template, or a text that stands for itself."""
    system_prompt: str | None
    """With `chat`: put before every prompt."""
    prompts: str
    """JSONL of `id`, `text`, in the order of asking."""
    seed: int
    at_once: int | None
    """Hand over so many prompts at a time; null hands over the whole list."""
    keep_special_tokens: bool = False
    """Whether special tokens stand in the text of an answer; the one that ends it never does."""
    must_end: bool = False
    """Whether to refuse a chat template that ends an answer with what ends no generation."""
    tokenizer: str | None = None
    """Folder of the tokenizer, and of its chat template, where they are not the model's."""

    def weights(self) -> tuple[str, str | None, str, str | None]:
        """Return what tells two sets of weights apart: base, adapter, how it is applied, and the tokenizer."""
        return self.model, self.adapter, self.serving if self.adapter else "", self.tokenizer


class Report(Protocol):
    """How a trainer or an engine tells the parent where it is; jobs are numbered from 0."""

    def loaded(self, job: int) -> None:
        """Say that an engine was loaded, for this job and those after it that share it."""

    def progress(self, job: int, done: int, total: int) -> None:
        """Say how far one job has come."""

    def finished(self, job: int) -> None:
        """Say that everything a job promises lies in its folder."""


class JobError(Exception):
    """A job cannot be done, for a reason that the user can mend: what, and what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        """Keep both halves of the sentence."""
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy


class JobMemoryError(JobError):
    """Some jobs do not fit into the memory that there is; others may, in a fresh process."""

    def __init__(self, jobs: Sequence[int], remedy: str) -> None:
        """Keep which jobs they are, and what to lower."""
        super().__init__("ran out of memory", remedy)
        self.jobs = jobs
