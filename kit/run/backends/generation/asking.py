"""From a prompt to the tokens that a model sees. Imported only by a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from kit.run.backends.generation.ends import ANSWER, end_complaints, ending_ids, special_tokens, written_after
from kit.spec.chat.tokenizer import rendered, rendered_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.run.backends.generation.ends import Complaint
    from kit.run.backends.worker.jobs import GenerationJob

_ANSWER = "kit"
"""An answer that no template changes."""


def tokens(tokenizer: Any, text: str, job: GenerationJob, *, system_prompt: str | None) -> list[int]:  # noqa: ANN401
    """Return the token ids of a prompt."""
    if not job.chat:
        return cast("list[int]", tokenizer(text)["input_ids"])
    return rendered(tokenizer, _conversation(text, system_prompt), job.template, to_answer=True)


def begins_the_answer(tokenizer: Any, text: str, job: GenerationJob) -> bool:  # noqa: ANN401 - transformers
    """Tell whether a prompt ends where the model's answer begins; else a model goes on with the user's turn.

    A template either opens the assistant's turn when it is asked to, or ends each of the user's turns with a mark that
    does, such as `[/INST]`: then nothing but space stands between the prompt and an answer.
    """
    messages = _conversation(text, job.system_prompt)
    opened = rendered_text(tokenizer, messages, job.template, to_answer=True)
    if opened != rendered_text(tokenizer, messages, job.template, to_answer=False):
        return True
    answered = [*messages, {"role": "assistant", "content": _ANSWER}]
    whole = rendered_text(tokenizer, answered, job.template, to_answer=False)
    has_mark = bool(opened.rpartition(text.strip())[2].strip())
    return has_mark and whole.startswith(opened) and whole[len(opened) :].lstrip().startswith(_ANSWER)


def endless(tokenizer: Any, text: str, job: GenerationJob) -> Iterator[Complaint]:  # noqa: ANN401 - transformers
    """Yield why the answers of a job would not end where its chat template ends them."""
    if job.must_end and job.chat:
        answered = [*_conversation(text, job.system_prompt), {"role": "assistant", "content": ANSWER}]
        written = written_after(tokenizer, rendered_text(tokenizer, answered, job.template, to_answer=False))
        special = {} if job.keep_special_tokens else special_tokens(tokenizer)
        yield from end_complaints(written, ending_ids(job.model, tokenizer), job.generation, special)


def _conversation(text: str, system_prompt: str | None) -> list[dict[str, str]]:
    lead = [{"role": "system", "content": system_prompt}] if system_prompt is not None else []
    return [*lead, {"role": "user", "content": text}]
