"""The tests' trainer: no weights, only files that depend on what a real trainer's would depend on."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from kit.core.canonical import canonical_json, read_rows
from kit.core.digests import data_digest, file_digest, json_digest
from kit.run.backends.worker.jobs import ADAPTER, MODEL, TRACE
from kit.run.backends.worker.memory import TRAINING, fitting

if TYPE_CHECKING:
    from kit.core.canonical import Json
    from kit.run.backends.worker.jobs import Report, TrainingJob


def train(jobs: list[TrainingJob], report: Report) -> None:
    """Write weights whose bytes are a function of the job, and their trace; see `interface.Trainer`."""
    for number, job in enumerate(jobs):
        with fitting([number], TRAINING):
            _allocate(job)
        random = Random(job.seed)  # noqa: S311 - no secret
        order: list[Json] = [str(row["id"]) for row in read_rows(Path(job.examples))]
        shuffled_by = job.training.data_seed
        (random if shuffled_by is None else Random(shuffled_by)).shuffle(order)  # noqa: S311
        weights = canonical_json([random.random() for _ in range(64)]) + canonical_json(job.training.to_json())
        _save(job, weights)
        trace: dict[str, Json] = {
            "step0_weights": json_digest([job.seed, job.lora.to_json() if job.lora else None]),
            "weights": data_digest(weights),
            "losses": [{"step": 1, "loss": 2.0, "grad_norm": 1.0, "learning_rate": 0.1}],
            "order": order,
            "rows": len(order),
            "cut": 0,
            "dropped": 0,
            "dropped_ids": [],
            "notes": [],
            "template": file_digest(Path(job.template.file)) if job.template.file else json_digest("scripted"),
            "trainable_parameters": 64,
        }
        report.progress(number, 1, 1)
        (Path(job.out) / TRACE).write_bytes(canonical_json(trace))
        report.finished(number)


def _allocate(job: TrainingJob) -> None:
    """Take and leave the memory of an adapter of this rank: too much, for some."""
    b"adapter" * (job.lora.rank << 10 if job.lora else 0)


def _save(job: TrainingJob, weights: bytes) -> None:
    folder = Path(job.out) / (MODEL if job.lora is None else ADAPTER)
    folder.mkdir()
    if job.lora is None:
        (folder / "model.safetensors").write_bytes(weights)
        return
    (folder / "adapter_model.safetensors").write_bytes(weights)
    (folder / "adapter_config.json").write_bytes(canonical_json({"base": job.model_name, "lora": job.lora.to_json()}))
