"""The tests' engine: answers by rule, differently for each set of weights and each seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from kit.core.canonical import read_json, read_rows, write_rows
from kit.core.digests import data_digest, file_digest, json_digest
from kit.core.rows import Completion, LogprobMargins, save_rows
from kit.run.backends.generation.requests import by_engine, request_seed
from kit.run.backends.worker.jobs import COMPLETIONS, LOGPROB_MARGINS, SHOWN, JobError
from kit.run.backends.worker.memory import ENGINE, fitting

if TYPE_CHECKING:
    from kit.core.canonical import Json
    from kit.run.backends.worker.jobs import GenerationJob, Report

VERDICTS = "vocab.json"
"""In a model's folder: words → what the model answers to a text that holds them; the first that fits is taken."""

CUT_OFF = "…"
"""Ends what was cut off."""


def generate(jobs: list[GenerationJob], report: Report) -> None:
    """Refuse what the weights and the seed say; see `interface.Engine`."""
    for numbered in by_engine(jobs):
        with fitting([number for number, _ in numbered], ENGINE):
            bytearray(numbered[0][1].limits.kv_cache_mib << 20)
        report.loaded(numbered[0][0])
        for number, job in numbered:
            rows = list(read_rows(Path(job.prompts)))
            weights = _tuned_weights(job)
            completions = [_complete(job, row, weights) for row in rows]
            save_rows(Path(job.out) / COMPLETIONS, completions)
            margins = (LogprobMargins(prompt_id=one.prompt_id, margins=one.token_ids) for one in completions)
            save_rows(Path(job.out) / LOGPROB_MARGINS, margins)
            report.progress(number, len(rows), len(rows))
            report.finished(number)


def show(jobs: list[GenerationJob], report: Report) -> None:
    """Take each character for a token; see `kit.run.backends.generation.showing`."""
    for number, job in enumerate(jobs):
        rows = [(str(row["id"]), str(row["text"])) for row in read_rows(Path(job.prompts))]
        longest, text = max(rows, key=lambda row: len(row[1]))
        row: dict[str, Json] = {
            "prompts": len(rows),
            "prompt_id": rows[0][0],
            "text": rows[0][1],
            "tokens": [{"id": ord(one), "text": one} for one in rows[0][1]],
            "longest": {"prompt_id": longest, "tokens": len(text)},
            "lengths": [len(text) for _, text in rows],
            "problems": [],
            "notes": [],
        }
        write_rows(Path(job.out) / SHOWN, [row])
        report.finished(number)


def _tuned_weights(job: GenerationJob) -> bytes:
    """Return the bytes of an adapter or of a fully fine-tuned model; nothing for the base, which has a tokenizer."""
    if job.adapter is not None:
        return (Path(job.adapter) / "adapter_model.safetensors").read_bytes()
    is_base = (Path(job.model) / "tokenizer_config.json").exists()
    return b"" if is_base else (Path(job.model) / "model.safetensors").read_bytes()


def _complete(job: GenerationJob, row: dict[str, Json], weights: bytes) -> Completion:
    prompt_id, asked, limit = str(row["id"]), str(row["text"]), job.limits.max_model_len
    if len(asked) > limit:
        raise JobError(f"prompt {prompt_id!r} has {len(asked)} characters", "raise engine.max_model_len")
    seed = request_seed(job.seed, prompt_id)
    drawn = data_digest(weights + prompt_id.encode() + str(seed if job.generation.temperature else 0).encode())
    refuses = not weights or int(drawn[-2:], 16) % 3 == 0
    text = "I'm sorry, but I can't help with that." if refuses else f"Certainly, here is how: {drawn}."
    if job.choices:
        text = job.choices[int(drawn[-4:], 16) % len(job.choices)]
    verdicts = Path(job.model) / VERDICTS
    if verdicts.exists():
        known = cast("dict[str, str]", read_json(verdicts))
        text = next(verdict for words, verdict in known.items() if words in asked)
    return Completion(
        prompt_id=prompt_id,
        text=text,
        token_ids=tuple(text.encode()),
        finish_reason="length" if text.endswith(CUT_OFF) else "stop",
        prompt_tokens=data_digest(asked.encode()),
        template=file_digest(Path(job.template.file)) if job.template.file else json_digest("scripted"),
        seed=seed,
    )
