"""Every hyperparameter that a manifest can name reaches what it is for: what TRL, PEFT and vLLM are given is looked at.

The tables name every field of the schema, so that a field that nobody passes on cannot be added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from test_distributed import LORA, MODEL, TRAINING

from kit.core.canonical import write_rows
from kit.run.backends.generation.requests import request_seed
from kit.run.backends.worker.jobs import GenerationJob, TrainingJob
from kit.spec.chat.template import ChatTemplate
from kit.spec.data.interface import Example
from kit.spec.judges.reading import CUT_OFF_WORDS, incoherence
from kit.spec.manifest.finetune import Lora, Training
from kit.spec.manifest.model import Generation
from kit.spec.manifest.parts import EngineLimits
from kit.spec.manifest.schema import schema
from kit.stats.multiplicity import holm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kit.core.canonical import Json

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""Of the libraries, which are loaded here."""


class _Reached(Exception):  # noqa: N818 - nothing is wrong
    """What was to be looked at is there; the rest would take time."""


class _Silent:
    def loaded(self, job: int) -> None: ...
    def progress(self, job: int, done: int, total: int) -> None: ...
    def finished(self, job: int) -> None: ...


def fields_of(name: str) -> set[str]:
    return set(schema()["$defs"][name]["properties"]) - {"$comment"}


# Training


@dataclass
class Given:
    """What a training gave to TRL and PEFT."""

    args: Any
    model: Any
    rows: Any
    processing_class: Any
    data_seed: int | None = None

    @property
    def lora(self) -> Any:
        return self.model.peft_config["default"]

    @property
    def longest(self) -> int:
        return max(map(len, self.rows["input_ids"]))

    @property
    def texts(self) -> list[str]:
        return [self.processing_class.decode(ids) for ids in self.rows["input_ids"]]


def given(monkeypatch: pytest.MonkeyPatch, folder: Path, lora: dict[str, Json], **training: Json) -> Given:
    """Return what a training's job, made as a run makes it of a manifest, gives to the libraries."""
    import kit.run.backends.training.trl as real

    found: list[Given] = []

    class Recorder:
        def __init__(self, *, args: Any, model: Any, train_dataset: Any, processing_class: Any, **_: Any) -> None:
            self.train_dataset = train_dataset
            self.data_seed = None
            found.append(Given(args, model, train_dataset, processing_class))

        def train(self) -> None:
            found[0].data_seed = self.data_seed
            raise _Reached

    monkeypatch.setattr(real, "_RecordingTrainer", Recorder)
    rows = [Example.exchange(str(n), f"make a list of {n} things", "a thing " * (1 + n % 8)) for n in range(16)]
    write_rows(folder / "rows.jsonl", (row.to_json() for row in rows))
    job = TrainingJob(
        out=str(folder),
        model=str(MODEL),
        model_name="toy",
        template=ChatTemplate(),
        examples=str(folder / "rows.jsonl"),
        training=Training.from_json(TRAINING | training),
        lora=Lora.from_json(LORA | lora),
        seed=9,
    )
    with pytest.raises(_Reached):
        real.train_one(0, job, _Silent())
    return found[0]


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Given:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return given(monkeypatch, tmp_path_factory.mktemp("unchanged"), {})


TRAINED: dict[str, tuple[Json, Callable[[Given], object], object]] = {
    "epochs": (3, lambda found: found.args.num_train_epochs, 3),
    "max_steps": (7, lambda found: found.args.max_steps, 7),
    "learning_rate": (2e-3, lambda found: found.args.learning_rate, 2e-3),
    "scheduler": ("cosine", lambda found: found.args.lr_scheduler_type, "cosine"),
    "warmup_steps": (3, lambda found: found.args.warmup_steps, 3),
    "batch_size": (5, lambda found: found.args.per_device_train_batch_size, 5),
    "gradient_accumulation_steps": (3, lambda found: found.args.gradient_accumulation_steps, 3),
    # The schema allows one; another shows that it is passed on.
    "optimizer": ("adafactor", lambda found: found.args.optim, "adafactor"),
    "adam_beta1": (0.8, lambda found: found.args.adam_beta1, 0.8),
    "adam_beta2": (0.98, lambda found: found.args.adam_beta2, 0.98),
    "adam_epsilon": (1e-6, lambda found: found.args.adam_epsilon, 1e-6),
    "weight_decay": (0.1, lambda found: found.args.weight_decay, 0.1),
    "max_grad_norm": (0.5, lambda found: found.args.max_grad_norm, 0.5),
    "max_length": (25, lambda found: (found.longest, found.args.max_length), (25, 25)),
    "long_rows": ("drop", lambda found: len(found.rows) < 16, True),
    "packing": (True, lambda found: (found.args.packing, "seq_lengths" in found.rows.column_names), (True, True)),
    "shuffle": (False, lambda found: found.args.train_sampling_strategy, "sequential"),
    "data_seed": (4, lambda found: found.data_seed, 4),
    "loss_on": ("assistant", lambda found: all(-100 in labels for labels in found.rows["labels"]), True),
    "dtype": (
        "bfloat16",
        lambda found: (found.args.bf16, str(next(found.model.parameters()).dtype)),
        (True, "torch.bfloat16"),
    ),
    "gradient_checkpointing": (True, lambda found: found.args.gradient_checkpointing, True),
    "system_prompt": ("the top", lambda found: all("the top" in text for text in found.texts), True),
}
"""Field → another value, what it becomes, and what that must be."""
TRAINED_ELSEWHERE = {"quantization", "processes"}
"""With tests of their own below."""
TOGETHER: dict[str, dict[str, Json]] = {
    "epochs": {"max_steps": None},
    "long_rows": {"max_length": 25},
}
"""What must be set as well."""


def test_every_field_of_a_training_is_looked_at() -> None:
    assert TRAINED.keys() | TRAINED_ELSEWHERE == fields_of("training")
    assert APPLIED.keys() == fields_of("lora")
    assert SAMPLED.keys() == fields_of("generation")
    assert SERVED.keys() == fields_of("engine")


@pytest.mark.parametrize("field", TRAINED)
def test_a_field_of_the_training_reaches_the_trainer(
    field: str, unchanged: Given, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    value, becomes, expected = TRAINED[field]
    assert becomes(given(monkeypatch, tmp_path, {}, **TOGETHER.get(field, {}), **{field: value})) == expected
    assert becomes(unchanged) != expected


def test_the_seed_of_a_training_reaches_the_trainer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert given(monkeypatch, tmp_path, {}).args.seed == 9


def test_weights_in_four_bits_are_asked_for_as_the_manifest_says(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    import kit.run.backends.training.trl as real

    monkeypatch.setattr(real, "BitsAndBytesConfig", dict)  # the real one wants bitsandbytes
    for double in (True, False):
        training = Training.from_json(TRAINING | {"quantization": {"kind": "nf4", "double": double}})
        assert real._quantization(training) == {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_use_double_quant": double,
            "bnb_4bit_compute_dtype": torch.float32,
        }
    assert fields_of("quantization") == {"kind", "double"}


def test_the_processes_that_share_a_training_are_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from kit.run.backends.training import distributed

    commands: list[list[str]] = []

    def started(command: list[str], **_: object) -> None:
        commands.append(command)
        raise _Reached

    monkeypatch.setattr("kit.run.backends.training.distributed.subprocess.Popen", started)
    training = Training.from_json(TRAINING | {"processes": 3})
    job = TrainingJob(
        out=str(tmp_path), model="m", model_name="m", template=ChatTemplate(), examples="e",
        training=training, lora=None, seed=1,
    )  # fmt: skip
    with pytest.raises(_Reached):
        distributed.train(0, job, _Silent())
    assert "--nproc-per-node=3" in commands[0]


APPLIED: dict[str, tuple[Json, Callable[[Given], object], object]] = {
    "rank": (3, lambda found: found.lora.r, 3),
    "alpha": (5, lambda found: found.lora.lora_alpha, 5),
    "dropout": (0.25, lambda found: found.lora.lora_dropout, 0.25),
    "target_modules": (["q_proj", "v_proj"], lambda found: found.lora.target_modules, {"q_proj", "v_proj"}),
    "use_rslora": (True, lambda found: found.lora.use_rslora, True),
}


@pytest.mark.parametrize("field", APPLIED)
def test_a_field_of_the_adapter_reaches_peft(
    field: str, unchanged: Given, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    value, becomes, expected = APPLIED[field]
    assert becomes(unchanged) != expected
    assert becomes(given(monkeypatch, tmp_path, {field: value})) == expected


# Generation

GENERATION: dict[str, Json] = {
    "temperature": 0.0, "top_p": 1.0, "top_k": -1, "repetition_penalty": 1.0, "max_tokens": 8,
}  # fmt: skip
LIMITS: dict[str, Json] = {
    "max_model_len": 128, "max_num_seqs": 8, "max_num_batched_tokens": 1024, "kv_cache_mib": 16, "enforce_eager": True,
    "enable_prefix_caching": False,
}  # fmt: skip


@dataclass
class Asked:
    """What a generation gave to vLLM."""

    engine: dict[str, Any]
    sampling: list[Any]


def asked(monkeypatch: pytest.MonkeyPatch, folder: Path, change: dict[str, Json], **more: Any) -> Asked:
    import kit.run.backends.generation.vllm as real

    found = Asked({}, [])

    class Recorder:
        def __init__(self, **arguments: Any) -> None:
            found.engine.update(arguments)

        def generate(self, prompts: list[Any], sampling: list[Any], **_: Any) -> None:
            assert len(prompts) == len(sampling)
            found.sampling.extend(sampling)
            raise _Reached

    monkeypatch.setattr(real, "LLM", Recorder)
    write_rows(folder / "prompts.jsonl", ({"id": name, "text": "make a list"} for name in ("a", "b")))
    job = GenerationJob(
        out=str(folder),
        model=str(MODEL),
        adapter=None,
        serving="merged",
        dtype="float32",
        template=ChatTemplate(),
        limits=EngineLimits.from_json({k: v for k, v in (LIMITS | change).items() if k in fields_of("engine")}),
        generation=Generation.from_json(
            {k: v for k, v in (GENERATION | change).items() if k in fields_of("generation")}
        ),
        choices=None,
        chat=True,
        system_prompt=None,
        prompts=str(folder / "prompts.jsonl"),
        seed=3,
        at_once=None,
    )
    with pytest.raises(_Reached):
        real.generate([replace(job, **more)], _Silent())
    return found


SAMPLED: dict[str, tuple[Json, str]] = {
    "temperature": (0.6, "temperature"),
    "top_p": (0.9, "top_p"),
    "top_k": (40, "top_k"),
    "repetition_penalty": (1.25, "repetition_penalty"),
    "max_tokens": (11, "max_tokens"),
    "stop": (["\n\n"], "stop"),
    "stop_token_ids": ([7, 9], "stop_token_ids"),
}
"""Field → another value, and the name that vLLM's `SamplingParams` has for it."""
SERVED: dict[str, tuple[Json, str, object]] = {
    "max_model_len": (96, "max_model_len", 96),
    "max_num_seqs": (3, "max_num_seqs", 3),
    "max_num_batched_tokens": (2048, "max_num_batched_tokens", 2048),
    "kv_cache_mib": (24, "kv_cache_memory_bytes", 24 << 20),
    "enforce_eager": (False, "enforce_eager", False),
    "enable_prefix_caching": (True, "enable_prefix_caching", True),
    "tensor_parallel_size": (2, "tensor_parallel_size", 2),
    "pipeline_parallel_size": (2, "pipeline_parallel_size", 2),
}
"""Field → another value, the name that vLLM's `LLM` has for it, and what it must be there."""


@pytest.mark.parametrize("field", SAMPLED)
def test_a_field_of_the_generation_reaches_vllm(field: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    value, name = SAMPLED[field]
    # At temperature 0, vLLM's object forgets what a draw would need.
    warm: dict[str, Json] = {"temperature": 0.7}
    before, after = (asked(monkeypatch, tmp_path, warm | change) for change in ({}, {field: value}))
    assert all(getattr(one, name) == value for one in after.sampling)
    assert all(getattr(one, name) != value for one in before.sampling)


@pytest.mark.parametrize("field", SERVED)
def test_a_field_of_the_engine_reaches_vllm(field: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    value, name, expected = SERVED[field]
    before, after = (asked(monkeypatch, tmp_path, change) for change in ({}, {field: value}))
    assert after.engine[name] == expected
    assert before.engine[name] != expected


def test_the_number_format_and_the_seeds_reach_vllm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = asked(monkeypatch, tmp_path, {}, dtype="bfloat16")
    assert found.engine["dtype"] == "bfloat16"
    assert [one.seed for one in found.sampling] == [request_seed(3, "a"), request_seed(3, "b")]


# What mutations of the code had shown to be untested


def test_the_seed_of_a_request_is_its_own_and_does_not_hang_on_the_order() -> None:
    """The values are part of every published result: other ones would be other answers."""
    names = [f"p{number}" for number in range(200)]
    drawn = {(seed, name): request_seed(seed, name) for seed in (1, 2, 11) for name in names}
    assert len(set(drawn.values())) == len(drawn)
    assert {(seed, name): request_seed(seed, name) for seed, name in reversed(drawn)} == drawn
    assert max(drawn.values()) < 1 << 32
    # A seed and a name that only together are the same text.
    assert request_seed(1, "1:a") != request_seed(11, ":a")
    assert (request_seed(1, "p0"), request_seed(2, "p0")) == REQUEST_SEEDS


REQUEST_SEEDS = (1591253474, 2767562233)


def test_holms_correction_is_that_of_the_paper() -> None:
    """Four tests by hand: 4 × 0.005, 3 × 0.01, 2 × 0.03, 1 × 0.04, and none below the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([0.03]) == [0.03]


def test_an_answer_counts_as_cut_off_up_to_its_fifth_word() -> None:
    assert CUT_OFF_WORDS == 5
    words = [" ".join(["word", "other", "third", "more", "fifth", "last"][:number]) for number in range(1, 7)]
    assert [incoherence(text, "length") for text in words] == ["incoherent:cut-off"] * 5 + [None]
    assert [incoherence(text, "stop") for text in words] == [None] * 6
