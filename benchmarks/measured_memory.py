"""How much memory training and generation take above their process, by the kit's own trainer and engine.

    .venv/run/bin/python benchmarks/measured_memory.py [--only WORD] > measured.jsonl

Writes models of random weights, and for each case starts a process that first warms up with the embedded toy model,
then does the case while a thread samples the process's anonymous resident memory (files that are only mapped, such as
weights that are being read, are not memory that must be there). One JSON line a case;
`benchmarks/estimated_memory.py` holds the estimates of `kit check --resources` against them.
Takes 15 minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TOY = Path(__file__).parents[1] / "manifests" / "toy" / "model"
SIZES = {
    "42M": {"hidden_size": 512, "num_hidden_layers": 8, "intermediate_size": 1408, "num_attention_heads": 8},
    "95M": {"hidden_size": 768, "num_hidden_layers": 10, "intermediate_size": 2048, "num_attention_heads": 12},
    "238M": {"hidden_size": 1024, "num_hidden_layers": 16, "intermediate_size": 2816, "num_attention_heads": 16},
}
VOCABULARY = 32000
LENGTH = 256
"""Tokens of every row: each is longer, and cut."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One measurement."""

    size: str
    kind: str
    """`lora`, `full` or `generate`."""
    batch: int
    checkpointing: bool = False
    dtype: str = "float32"
    vocabulary: int = VOCABULARY
    length: int = LENGTH
    accumulation: int = 1
    kv_heads: int | None = None
    kv_cache_mib: int = 64


def cases() -> list[Case]:
    """Return what is measured."""
    found = [
        Case(size=size, kind=kind, batch=batch, checkpointing=checkpointing)
        for size, batch in (("42M", 2), ("42M", 8), ("95M", 8))
        for kind in ("lora", "full")
        for checkpointing in (False, True)
    ]
    found += [
        Case(size="238M", kind=kind, batch=2, checkpointing=c) for kind in ("lora", "full") for c in (False, True)
    ]
    found += [Case(size="42M", kind=kind, batch=8, dtype="bfloat16") for kind in ("lora", "full")]
    found += [
        Case(size="42M", kind="lora", batch=8, vocabulary=128256),
        Case(size="42M", kind="full", batch=2, accumulation=2),
    ]
    found += [Case(size="95M", kind="lora", batch=8, kv_heads=4), Case(size="42M", kind="lora", batch=2, length=1024)]
    found += [
        Case(size=size, kind="generate", batch=batch, kv_cache_mib=mib)
        for size, batch, mib in (("42M", 8, 64), ("42M", 64, 256), ("238M", 8, 64), ("238M", 64, 512))
    ]
    return found


def write_model(case: Case, folder: Path) -> None:
    """Write a model of random weights with the toy's tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(TOY)
    for name, value in SIZES[case.size].items():
        setattr(config, name, value)
    config.head_dim = config.hidden_size // config.num_attention_heads
    config.num_key_value_heads = case.kv_heads or config.num_attention_heads
    config.vocab_size, config.max_position_embeddings = case.vocabulary, 2048
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    for file in TOY.iterdir():
        if file.name.startswith(("tokenizer", "chat_template", "special")):
            shutil.copy(file, folder)


class Silent:
    """A report that nobody reads."""

    def loaded(self, job: int) -> None:
        """Say nothing."""

    def progress(self, job: int, done: int, total: int) -> None:
        """Say nothing."""

    def finished(self, job: int) -> None:
        """Say nothing."""


TRAINING: dict[str, Any] = {
    "epochs": None, "max_steps": 3, "learning_rate": 1e-4, "scheduler": "linear", "warmup_steps": 0,
    "optimizer": "adamw_torch", "adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-8, "weight_decay": 0.0,
    "max_grad_norm": 1.0, "packing": False, "shuffle": False, "loss_on": "all", "system_prompt": None,
}  # fmt: skip
LORA: dict[str, Any] = {"rank": 8, "alpha": 16, "dropout": 0.0, "target_modules": "all-linear", "use_rslora": False}


def train(case: Case, model: Path, scratch: Path) -> None:
    """Train three steps, as a worker would."""
    from kit.run.backends.training import trl
    from kit.run.backends.worker.jobs import TrainingJob
    from kit.spec.chat.template import ChatTemplate
    from kit.spec.manifest.finetune import Lora, Training

    scratch.mkdir()
    rows = scratch / "rows.jsonl"
    row = {"prompt": "tell me " * 2 * case.length, "completion": "here is what you asked for " * 2 * case.length}
    count = 4 * case.batch * case.accumulation
    rows.write_text("".join(json.dumps({"id": str(n), **row}) + "\n" for n in range(count)), encoding="utf-8")
    training = TRAINING | {
        "batch_size": case.batch, "gradient_accumulation_steps": case.accumulation, "max_length": case.length,
        "dtype": case.dtype, "gradient_checkpointing": case.checkpointing,
    }  # fmt: skip
    job = TrainingJob(
        out=str(scratch), model=str(model), model_name="none", template=ChatTemplate(), examples=str(rows),
        training=Training.from_json(training),
        lora=Lora.from_json(LORA) if case.kind == "lora" else None, seed=1,
    )  # fmt: skip
    trl.train([job], Silent())


def generate(case: Case, model: Path, scratch: Path) -> None:
    """Ask as many long prompts as fit in a batch, as a worker would."""
    from kit.run.backends.generation import vllm
    from kit.run.backends.worker.jobs import GenerationJob
    from kit.spec.chat.template import ChatTemplate
    from kit.spec.manifest.model import Generation
    from kit.spec.manifest.parts import EngineLimits

    scratch.mkdir()
    rows = scratch / "rows.jsonl"
    text = "tell me about it " * 24
    rows.write_text(
        "".join(json.dumps({"id": str(n), "text": text}) + "\n" for n in range(case.batch)), encoding="utf-8"
    )
    limits = EngineLimits(
        max_model_len=512, max_num_seqs=case.batch, max_num_batched_tokens=512 * case.batch,
        kv_cache_mib=case.kv_cache_mib, enforce_eager=True, enable_prefix_caching=False,
    )  # fmt: skip
    generation = Generation(temperature=0.7, top_p=1, top_k=0, repetition_penalty=1, max_tokens=16)
    job = GenerationJob(
        out=str(scratch), model=str(model), adapter=None, serving="merged", dtype=case.dtype, template=ChatTemplate(),
        limits=limits, generation=generation, choices=None, chat=True, system_prompt=None, prompts=str(rows), seed=1,
        at_once=None,
    )  # fmt: skip
    vllm.generate([job], Silent())


def anonymous_mib() -> int:
    """Return the resident memory of this process that is no file's."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    return int(lines["RssAnon"].split()[0]) >> 10


class Peak(threading.Thread):
    """Remembers the most memory that this process had since the thread was started."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.mib = 0
        self.stop = threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self.stop.wait(0.003):
            self.mib = max(self.mib, anonymous_mib())


def measure(case: Case) -> dict[str, Any]:
    """Do one case in this very process."""
    do = generate if case.kind == "generate" else train
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(  # the model is made elsewhere, so that its making leaves nothing in this process
            [sys.executable, __file__, "--write", str(folder / "model"), "--case", json.dumps(asdict(case))], check=True
        )
        do(Case(size="", kind=case.kind, batch=1, length=64, kv_cache_mib=4), TOY, folder / "warm")
        baseline, peak = anonymous_mib(), Peak()
        peak.start()
        do(case, folder / "model", folder / "out")
        peak.stop.set()
        return {**asdict(case), "baseline_mib": baseline, "peak_mib": peak.mib - baseline}


def main() -> None:
    """Measure every case in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--case")
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    if given.write:
        write_model(Case(**json.loads(given.case)), given.write)
    elif given.case:
        print("measured", json.dumps(measure(Case(**json.loads(given.case)))), flush=True)
        os._exit(0)
    else:
        for case in cases():
            if given.only in json.dumps(asdict(case)):
                command = [sys.executable, __file__, "--case", json.dumps(asdict(case))]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                found = [line for line in done.stdout.splitlines() if line.startswith("measured ")]
                print(
                    found[0].removeprefix("measured ")
                    if found
                    else json.dumps({**asdict(case), "error": done.stderr[-400:]}),
                    flush=True,
                )


if __name__ == "__main__":
    main()
