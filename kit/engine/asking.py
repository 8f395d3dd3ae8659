"""From a prompt to the tokens that a model sees. Imported only by a worker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from transformers import AutoTokenizer

if TYPE_CHECKING:
    from kit.worker.jobs import GenerationJob


def load_tokenizer(job: GenerationJob) -> Any:  # noqa: ANN401 - transformers
    """Return the tokenizer of a job's model, with the job's chat template where it has one of its own."""
    tokenizer = AutoTokenizer.from_pretrained(job.model)
    if job.template is not None:
        tokenizer.chat_template = Path(job.template).read_text(encoding="utf-8")
    return tokenizer


def tokens(tokenizer: Any, text: str, job: GenerationJob, *, system_prompt: str | None) -> list[int]:  # noqa: ANN401
    """Return the token ids of a prompt; made here, so that the engine adds no second beginning-of-sequence."""
    if not job.chat:
        return cast("list[int]", tokenizer(text)["input_ids"])
    return cast("list[int]", _templated(tokenizer, text, system_prompt, to_answer=True))


def has_generation_prompt(tokenizer: Any, text: str, system_prompt: str | None) -> bool:  # noqa: ANN401
    """Tell whether the template says that it is the model's turn, without which a model goes on with the user's."""
    return bool(
        _templated(tokenizer, text, system_prompt, to_answer=True)
        != _templated(tokenizer, text, system_prompt, to_answer=False)
    )


def _templated(tokenizer: Any, text: str, system_prompt: str | None, *, to_answer: bool) -> Any:  # noqa: ANN401
    lead = [{"role": "system", "content": system_prompt}] if system_prompt is not None else []
    messages = [*lead, {"role": "user", "content": text}]
    return tokenizer.apply_chat_template(messages, add_generation_prompt=to_answer, tokenize=True, return_dict=False)
