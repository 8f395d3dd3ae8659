"""Fine-tuning with TRL's SFTTrainer and PEFT. Imported only by a worker."""

from __future__ import annotations

import gc
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from datasets import Dataset
from msgspec import structs
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, prepare_model_for_kbit_training
from safetensors.torch import save
from torch.utils.data import RandomSampler, Sampler
from transformers import BitsAndBytesConfig, TrainerCallback, set_seed
from trl import SFTConfig, SFTTrainer, pack_dataset

from kit.core.canonical import Json, canonical_json, read_rows
from kit.core.digests import data_digest
from kit.core.lenient import read_lenient_json
from kit.run.backends.generation.base import load_base
from kit.run.backends.generation.ends import ending_ids
from kit.run.backends.generation.saving import save_model
from kit.run.backends.training import distributed
from kit.run.backends.training.encoding import encode
from kit.run.backends.training.order import seen
from kit.run.backends.worker.jobs import ADAPTER, MODEL, TRACE, JobError
from kit.run.backends.worker.memory import TRAINING, fitting
from kit.spec.chat.tokenizer import load_tokenizer, rendered

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from kit.run.backends.training.encoding import Encoded, EncodedRow
    from kit.run.backends.worker.jobs import Report, TrainingJob
    from kit.spec.manifest.finetune import Lora, Training

LOGGED = ("loss", "grad_norm", "learning_rate")
TRAINING_NAMES = {"scheduler": "lr_scheduler_type", "batch_size": "per_device_train_batch_size", "optimizer": "optim"}
"""Fields of `Training` that TRL's `SFTConfig` has under other names; those that are not here have the same."""
HANDLED = frozenset({"epochs", "max_steps", "data_seed", "shuffle", "dtype"}).union(
    ("loss_on", "long_rows", "system_prompt"),  # by the rows' encoding
    ("quantization", "processes"),  # as the model is loaded, as the job is started
)
"""Fields of `Training` that `SFTConfig` does not take as they are."""
LORA_NAMES = {"rank": "r", "alpha": "lora_alpha", "dropout": "lora_dropout"}
"""Fields of `Lora` that PEFT's `LoraConfig` has under other names."""


def train(jobs: list[TrainingJob], report: Report) -> None:
    """Fine-tune once per job; see `interface.Trainer`."""
    enable_determinism()
    for number, job in enumerate(jobs):
        if processes(job) > 1:
            distributed.train(number, job, report)
        else:
            train_one(number, job, report)
        gc.collect()
        report.finished(number)


def enable_determinism() -> None:
    """Let this process choose algorithms that repeat themselves."""
    torch.use_deterministic_algorithms(mode=True)
    # Filling memory that is about to be overwritten costs a third of the time and changes no byte.
    torch.utils.deterministic.fill_uninitialized_memory = False


def processes(job: TrainingJob) -> int:
    """Return how many processes share a job."""
    return job.training.processes or 1


def train_one(number: int, job: TrainingJob, report: Report) -> None:
    """Fine-tune once, in this process, or as one of several that each run this; the first of them writes.

    Raises:
        JobError: for a reason that the user can mend.
        JobMemoryError: it does not fit into memory.
    """
    with fitting([number], TRAINING):
        _train(number, job, report)


def _train(number: int, job: TrainingJob, report: Report) -> None:
    training = job.training
    with tempfile.TemporaryDirectory() as scratch:
        config = _config(training, job.seed, scratch)  # it tells the process its device, which the model goes to
        # Before the model, since LoRA draws its first weights long before the trainer would set the seed.
        set_seed(job.seed)
        tokenizer = load_tokenizer(job.model, job.template)
        model = _model(job)
        encoded = _encoded(job, tokenizer)
        contents, rows = _dataset(encoded.rows, training)
        trainer = _RecordingTrainer(
            model=model,
            args=config,
            train_dataset=rows,
            processing_class=tokenizer,
            callbacks=[_ProgressCallback(number, report)],
        )
        if len(trainer.train_dataset) != len(contents):
            raise JobError("TRL changed the rows that it was given", "report this: the kit reads it otherwise")
        step0 = _digest(model)
        trainer.data_seed = training.data_seed
        if processes(job) > 1 and trainer.data_seed is None:
            # What dropout draws differs between processes, and the order of the data may not.
            trainer.data_seed = job.seed
        set_seed(job.seed)  # what building the trainer drew must not decide the order of the data
        trainer.train()
    if not trainer.is_world_process_zero():
        return
    used = seen(
        trainer.order,
        len(contents),
        batch=training.batch_size,
        processes=processes(job),
        accumulated=training.gradient_accumulation_steps,
        steps=trainer.state.global_step,
    )
    trace: dict[str, Json] = {
        "step0_weights": step0,
        "weights": _digest(model),
        "losses": _losses(trainer.state.log_history),
        "order": [encoded.rows[row].id for sequence in used for row in contents[sequence]],
        **encoded.to_json(),
        "template": data_digest(str(tokenizer.chat_template).encode()),
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }
    _save(model, job)
    (Path(job.out) / TRACE).write_bytes(canonical_json(trace))


def _model(job: TrainingJob) -> Any:  # noqa: ANN401 - PEFT or transformers
    """Return the model in the numbers that it is trained in, with a fresh adapter if it gets one."""
    # AMP scales the loss for fp16, and needs fp32 weights wherever it changes them (PyTorch, `GradScaler`).
    training = job.training
    dtype = torch.float32 if training.dtype == "float16" and job.lora is None else getattr(torch, training.dtype)
    quantized = {"quantization_config": _quantization(training)} if training.quantization else {}
    model = load_base(Path(job.model), dtype=dtype, **quantized)
    model.config.use_cache = False
    if training.quantization:
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=training.gradient_checkpointing)
    if job.lora is not None:
        model = get_peft_model(model, _lora_config(job.lora))
    return model


def _quantization(training: Training) -> BitsAndBytesConfig:
    """Return how frozen weights are kept in four bits (QLoRA, Dettmers et al. 2023, arXiv 2305.14314)."""
    assert training.quantization is not None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=training.quantization.kind,
        bnb_4bit_use_double_quant=training.quantization.double,
        bnb_4bit_compute_dtype=getattr(torch, training.dtype),
    )


class _RecordingSampler(Sampler[int]):  # type: ignore[misc]  # torch is not followed
    """Passes on another sampler's indices and remembers them."""

    def __init__(self, inner: Sampler[int], order: list[int]) -> None:
        self._inner, self._order = inner, order

    def __iter__(self) -> Iterator[int]:
        for index in self._inner:
            self._order.append(index)
            yield index

    def __len__(self) -> int:
        return len(self._inner)


class _RecordingTrainer(SFTTrainer):  # type: ignore[misc]  # TRL is untyped
    """SFTTrainer that remembers the order in which it saw the rows."""

    order: list[int]
    data_seed: int | None
    """Shuffles with numbers of its own; else the order is drawn as everything else is."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:  # noqa: ANN401 - TRL's signature
        self.order = []
        sampler = super()._get_train_sampler(train_dataset)
        if self.data_seed is not None and isinstance(sampler, RandomSampler):
            sampler.generator = torch.Generator().manual_seed(self.data_seed)
        return _RecordingSampler(sampler, self.order)


class _ProgressCallback(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Reports each optimizer step, and stops when the loss is no number any more."""

    def __init__(self, job: int, report: Report) -> None:
        self._job, self._report = job, report

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ANN401, ARG002
        self._report.progress(self._job, state.global_step, state.max_steps)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:  # noqa: ANN401, ARG002
        if "loss" in logs and not math.isfinite(float(logs["loss"])):
            what = f"the loss is {logs['loss']} at step {state.global_step}"
            raise JobError(what, "lower finetune.training.learning_rate, or train in float32")


def _lora_config(lora: Lora) -> LoraConfig:
    targets = lora.target_modules
    return LoraConfig(
        task_type="CAUSAL_LM",
        **_passed_on(lora, LORA_NAMES, {"target_modules"}),
        target_modules=targets if isinstance(targets, str) else list(targets),
        bias="none",
    )


def _passed_on(part: Lora | Training, names: Mapping[str, str], handled: Collection[str]) -> dict[str, object]:
    """Return the fields that a library takes as they are, each by the name that it has there.

    So a new field needs no line here. A field that the library does not know makes it raise `TypeError`.
    """
    said = structs.asdict(part)
    return {names.get(name, name): value for name, value in said.items() if name not in handled}


def _config(training: Training, seed: int, scratch: str) -> SFTConfig:
    """Return the trainer's configuration: everything that moves a result is named, nothing is left to a default."""
    config = SFTConfig(
        output_dir=scratch,
        seed=seed,
        data_seed=seed if training.data_seed is None else training.data_seed,
        num_train_epochs=training.epochs or 1,
        max_steps=training.max_steps or -1,
        **_passed_on(training, TRAINING_NAMES, HANDLED),
        train_sampling_strategy="random" if training.shuffle else "sequential",
        dataset_kwargs={"skip_prepare_dataset": True},  # rows are tokens already: TRL would cut and drop some
        bf16=training.dtype == "bfloat16",
        fp16=training.dtype == "float16",
        use_cpu=not torch.cuda.is_available(),
        dataloader_num_workers=0,
        dataloader_pin_memory=torch.cuda.is_available(),
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )
    # One process uses one accelerator, however many it sees: transformers would spread the batch over all of them.
    config._n_gpu = min(1, torch.cuda.device_count())  # noqa: SLF001 - what its own launcher sets
    return config


def _encoded(job: TrainingJob, tokenizer: Any) -> Encoded:  # noqa: ANN401 - transformers
    """Return the rows as tokens.

    Raises:
        JobError: some cannot be trained on as they are.
    """

    def render(messages: list[dict[str, str]], *, to_answer: bool) -> list[int]:
        return rendered(tokenizer, messages, job.template, to_answer=to_answer)

    encoded = encode(read_rows(Path(job.examples)), tokenizer, render, job.training, ending_ids(job.model, tokenizer))
    if encoded.problems:
        first, *others = encoded.problems
        more = "".join(f"; {other}: {other.remedy}" for other in others)
        raise JobError(str(first), f"{first.remedy}{more}")
    return encoded


def _dataset(rows: Sequence[EncodedRow], training: Training) -> tuple[list[list[int]], Dataset]:
    """Return which rows each sequence holds, several where rows are packed, and the sequences, ready for TRL."""
    tokens = {"input_ids": [row.input_ids for row in rows], "labels": [row.labels for row in rows]}
    if not training.packing:
        return [[number] for number in range(len(rows))], Dataset.from_dict(tokens)
    numbers = [[number] * len(row.input_ids) for number, row in enumerate(rows)]
    packed = pack_dataset(Dataset.from_dict({**tokens, "row": numbers}), training.max_length, "bfd")
    return [list(dict.fromkeys(held)) for held in packed["row"]], packed.remove_columns("row")


def _state(model: Any) -> dict[str, torch.Tensor]:  # noqa: ANN401 - PEFT or transformers
    state = get_peft_model_state_dict(model) if hasattr(model, "peft_config") else model.state_dict()
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in sorted(state.items())
    }


def _digest(model: Any) -> str:  # noqa: ANN401
    """Return the digest of the trainable weights in their safetensors form."""
    return data_digest(save(_state(model)))


def _losses(history: list[dict[str, Any]]) -> list[Json]:
    steps = [entry for entry in history if "loss" in entry]
    return [{"step": entry["step"], **{name: _finite(float(entry[name])) for name in LOGGED}} for entry in steps]


def _finite(value: float) -> float | None:
    """Return null for what JSON cannot hold: fp16 begins with steps whose gradients overflow, and leaves them out."""
    return value if math.isfinite(value) else None


def _save(model: Any, job: TrainingJob) -> None:  # noqa: ANN401
    if job.lora is None:
        folder = Path(job.out) / MODEL
        model.config.use_cache = True
        save_model(model, Path(job.model), folder)
        return
    folder = Path(job.out) / ADAPTER
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(save(_state(model)))
    with tempfile.TemporaryDirectory() as scratch:
        model.peft_config["default"].save_pretrained(scratch)
        config = cast("dict[str, Any]", read_lenient_json(Path(scratch) / "adapter_config.json"))
    targets = config["target_modules"]
    # PEFT keeps the module names in a set; a list in the order of a hash is no payload.
    config["target_modules"] = sorted(targets) if isinstance(targets, list) else targets
    # PEFT puts the folder that the model was loaded from here: a path of this machine.
    config["base_model_name_or_path"] = job.model_name
    (folder / "adapter_config.json").write_bytes(canonical_json(config))
