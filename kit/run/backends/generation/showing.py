"""What a model would see of prompts, and what is wrong with that; nothing is generated. Imported only by a worker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from kit.core.canonical import read_rows, write_rows
from kit.core.thinking import marked_thinking
from kit.run.backends.generation.asking import begins_the_answer, endless, tokens
from kit.run.backends.worker.jobs import SHOWN, JobError
from kit.spec.chat.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.core.canonical import Json
    from kit.run.backends.worker.jobs import GenerationJob, Report


def show(jobs: list[GenerationJob], report: Report) -> None:
    """Write, for each job, one row: its first prompt as the model sees it, how long all are, and what is wrong."""
    for number, job in enumerate(jobs):
        tokenizer = load_tokenizer(job.tokenizer or job.model, job.template)
        rows = [(str(row["id"]), str(row["text"])) for row in read_rows(Path(job.prompts))]
        try:
            asked = [tokens(tokenizer, text, job, system_prompt=job.system_prompt) for _, text in rows]
            problems = list(_problems(tokenizer, rows[0][1], asked[0], job))
        except TemplateError as error:
            raise JobError(f"the chat template refuses the prompt: {error}", "leave the system prompt away") from error
        longest = max(range(len(rows)), key=lambda index: len(asked[index]))
        first: list[Json] = [{"id": token, "text": tokenizer.decode([token])} for token in asked[0]]
        row: dict[str, Json] = {
            "prompts": len(rows),
            "prompt_id": rows[0][0],
            "text": tokenizer.decode(asked[0]),
            "tokens": first,
            "longest": {"prompt_id": rows[longest][0], "tokens": len(asked[longest])},
            "lengths": [len(ids) for ids in asked],
            "problems": [*problems, *_room(rows[longest][0], len(asked[longest]), job)],
            "notes": [*_notes(str(tokenizer.chat_template), job)],
        }
        write_rows(Path(job.out) / SHOWN, [row])
        report.finished(number)


def _problems(tokenizer: Any, text: str, ids: list[int], job: GenerationJob) -> Iterator[str]:  # noqa: ANN401
    if len(ids) > 1 and ids[0] == ids[1] == tokenizer.bos_token_id:
        yield "it begins with two beginning-of-sequence tokens: the text has one and the tokenizer adds one"
    if not job.chat:
        return
    if not begins_the_answer(tokenizer, text, job):
        yield "the template has no generation prompt: nothing says that it is the model's turn"
    if job.system_prompt is not None and ids == tokens(tokenizer, text, job, system_prompt=None):
        yield "the template ignores the system prompt"
    yield from (f"{what}; {remedy}" for what, remedy in endless(tokenizer, text, job))


def _notes(template: str, job: GenerationJob) -> Iterator[str]:
    if (marker := marked_thinking(template)) and job.must_end and not job.keep_special_tokens:
        yield (
            "the chat template knows thinking, which judges would read as a part of the answer: if the model thinks, "
            f'write into the evaluation: "answer_after": "{marker}"'
        )


def _room(prompt_id: str, length: int, job: GenerationJob) -> Iterator[str]:
    more, limit = job.generation.max_tokens, job.limits.max_model_len
    if length + more > limit:
        yield (
            f"prompt {prompt_id!r} has {length} tokens and may get {more} more, which engine.max_model_len ({limit}) "
            "does not hold"
        )
