"""Generation with vLLM. Imported only by a worker."""

from __future__ import annotations

import gc
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vllm import LLM, SamplingParams, TokensPrompt
from vllm.lora.request import LoRARequest

from kit.core.canonical import canonical_json, read_rows
from kit.core.digests import data_digest, json_digest
from kit.core.fields import FieldError
from kit.core.lenient import read_lenient_json
from kit.core.rows import Completion, LogprobMargins, finish_reason_of, save_rows
from kit.run.backends.generation.applying import servable
from kit.run.backends.generation.asking import endless, tokens
from kit.run.backends.generation.ends import special_tokens, thinks_in_special_tokens
from kit.run.backends.generation.merge import merged_model
from kit.run.backends.generation.requests import by_engine, request_seed
from kit.run.backends.worker.jobs import COMPLETIONS, LOGPROB_MARGINS, MERGED, JobError
from kit.run.backends.worker.memory import ENGINE, fitting
from kit.spec.adapter.config import CONFIG, AdapterConfig, engine_rank
from kit.spec.chat.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kit.core.canonical import Json
    from kit.core.rows import FinishReason
    from kit.run.backends.generation.agreement import Agreement
    from kit.run.backends.worker.jobs import GenerationJob, Report
    from kit.spec.manifest.parts import EngineLimits

    Numbered = tuple[int, GenerationJob]


def generate(jobs: list[GenerationJob], report: Report) -> None:
    """Do the jobs with one engine per set of weights, and one for all adapters of a base; see `interface.Engine`."""
    for numbered in by_engine(jobs):
        _serve(numbered, report)
        gc.collect()  # an engine holds on to itself; its memory must be free before the next one starts


def _serve(numbered: Sequence[Numbered], report: Report) -> None:
    """Load one engine and do the jobs that may share it."""
    with ExitStack() as stack:
        with fitting([number for number, _ in numbered], ENGINE):
            model, merged = stack.enter_context(_model_folder(numbered[0][1]))
            adapters = stack.enter_context(_adapter_requests(numbered))
            llm = _engine(model, numbered, _room(adapters))
        report.loaded(numbered[0][0])
        for number, job in numbered:
            with fitting([number], ENGINE):
                _generate_one(llm, number, job, adapters.get(job.adapter), report)
            if merged:
                (Path(job.out) / MERGED).write_bytes(canonical_json(merged.to_json()))
            report.finished(number)


@contextmanager
def _adapter_requests(numbered: Sequence[Numbered]) -> Iterator[dict[str | None, LoRARequest]]:
    """Give a request per adapter. Ids are never used twice: vLLM would serve the adapter it loaded first."""
    paths = dict.fromkeys(job.adapter for _, job in numbered if job.adapter and job.serving == "adapter")
    base = Path(numbered[0][1].model)
    with ExitStack() as stack:
        folders = {path: stack.enter_context(servable(base, Path(path))) for path in paths}
        yield {
            path: LoRARequest(f"adapter-{index}", index, str(folder))
            for index, (path, folder) in enumerate(folders.items(), 1)
        }


def _room(adapters: Mapping[str | None, LoRARequest]) -> dict[str, Any]:
    """Return what an engine must know of the adapters that it will serve."""
    if not adapters:
        return {}
    configs = [AdapterConfig(read_lenient_json(Path(one.lora_path) / CONFIG)) for one in adapters.values()]
    rank = engine_rank(frozenset({8}).union(*(config.ranks for config in configs)))
    if rank is None:
        raise JobError("vLLM takes no adapter of so high a rank", "set finetune.serving to merged")
    return {"enable_lora": True, "max_loras": 1, "max_lora_rank": rank}


@contextmanager
def _model_folder(job: GenerationJob) -> Iterator[tuple[str, Agreement | None]]:
    """Give the folder of the weights to load: the model's own, or a temporary one with the adapter merged in."""
    if job.adapter is None or job.serving == "adapter":
        yield job.model, None
        return
    with merged_model(Path(job.model), Path(job.adapter), job.dtype) as (merged, agreement):
        yield str(merged), agreement


def _engine(model: str, numbered: Sequence[Numbered], lora: dict[str, Any]) -> LLM:
    job = numbered[0][1]
    return LLM(
        model=model,
        tokenizer=job.tokenizer or job.model,
        dtype=job.dtype,
        load_format="safetensors",
        trust_remote_code=False,
        seed=0,
        **_limits(job.limits),
        # A prompt read in pieces fails with per-request seeds on a processor, and moves sums elsewhere.
        enable_chunked_prefill=False,
        disable_log_stats=True,
        **lora,
    )


def _limits(limits: EngineLimits) -> dict[str, Any]:
    """Return the limits as `LLM` takes them: a new one that has vLLM's own name needs no line here."""
    said: dict[str, Any] = {"tensor_parallel_size": 1, "pipeline_parallel_size": 1, **limits.to_json()}
    del said["kv_cache_mib"]
    return {**said, "kv_cache_memory_bytes": limits.kv_cache_mib << 20}


def _why_ended(name: object) -> FinishReason:
    try:
        return finish_reason_of(str(name))
    except FieldError as error:
        raise JobError(f"vLLM gave up an answer: {error}", "run it again: finished steps are kept") from error


def _generate_one(llm: LLM, number: int, job: GenerationJob, adapter: LoRARequest | None, report: Report) -> None:
    tokenizer = load_tokenizer(job.tokenizer or job.model, job.template)
    template = data_digest(str(tokenizer.chat_template).encode())
    rows = list(read_rows(Path(job.prompts)))
    asked = [tokens(tokenizer, str(row["text"]), job, system_prompt=job.system_prompt) for row in rows]
    _refuse_long(rows, asked, job)
    for complaint in endless(tokenizer, str(rows[0]["text"]) if rows else "", job):
        raise JobError(*complaint)
    seeds = [request_seed(job.seed, str(row["id"])) for row in rows]
    keeps = job.keep_special_tokens or thinks_in_special_tokens(special_tokens(tokenizer))
    shown = {"skip_special_tokens": not keeps, "spaces_between_special_tokens": not keeps}
    sampling = {**job.generation.to_json(), **_choosing(tokenizer, job.choices), **shown, "logprobs": 2}
    answers: list[Any] = []
    size = job.at_once or max(1, len(rows))
    for start in range(0, len(rows), size):
        answers += llm.generate(
            [TokensPrompt(prompt_token_ids=ids) for ids in asked[start : start + size]],
            [SamplingParams(**sampling, seed=seed) for seed in seeds[start : start + size]],
            use_tqdm=False,
            lora_request=adapter,
        )
        report.progress(number, len(answers), len(rows))
    completions = (
        Completion(
            prompt_id=str(row["id"]),
            text=answer.outputs[0].text,
            token_ids=tuple(answer.outputs[0].token_ids),
            finish_reason=_why_ended(answer.outputs[0].finish_reason),
            prompt_tokens=json_digest(cast("list[Json]", ids)),
            template=template,
            seed=seed,
        )
        for row, ids, seed, answer in zip(rows, asked, seeds, answers, strict=True)
    )
    save_rows(Path(job.out) / COMPLETIONS, completions)
    margins = (
        LogprobMargins(prompt_id=str(row["id"]), margins=tuple(_margins(answer.outputs[0])))
        for row, answer in zip(rows, answers, strict=True)
    )
    save_rows(Path(job.out) / LOGPROB_MARGINS, margins)


def _margins(output: Any) -> Iterator[int]:  # noqa: ANN401 - vLLM's CompletionOutput
    """Yield by how much each token was likelier than the likeliest other, in thousandths of a nat."""
    for taken, known in zip(output.token_ids, output.logprobs, strict=True):
        other = max(one.logprob for token, one in known.items() if token != taken)
        yield round(1000 * (known[taken].logprob - other))


def _choosing(tokenizer: Any, choices: Sequence[str] | None) -> dict[str, Any]:  # noqa: ANN401 - transformers
    """Return how a single token is sampled from the choices alone: greedily, so that the likeliest is taken."""
    if choices is None:
        return {}
    ids = [tokenizer.encode(choice, add_special_tokens=False) for choice in choices]
    long = [choice for choice, tokens in zip(choices, ids, strict=True) if len(tokens) != 1]
    if long:
        raise JobError(f"the choice {long[0]!r} is not one token to this tokenizer", "leave `choices` null")
    return {"max_tokens": 1, "allowed_token_ids": [tokens[0] for tokens in ids]}


def _refuse_long(rows: list[dict[str, Json]], asked: list[list[int]], job: GenerationJob) -> None:
    """Fail before the engine would cut an answer short without a word."""
    if not asked:  # a judge's model, where no answer is to be judged
        return
    index = max(range(len(asked)), key=lambda number: len(asked[number]))
    length, more = len(asked[index]), job.generation.max_tokens
    if length + more > job.limits.max_model_len:
        what = f"prompt {rows[index]['id']!r} has {length} tokens and may get {more} more"
        raise JobError(what, f"raise engine.max_model_len to {length + more}, or lower max_tokens")
