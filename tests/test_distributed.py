"""One training shared by several processes, and one beside weights in four bits, by the real trainer."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kit.core.canonical import write_rows
from kit.core.errors import OperationalError
from kit.run.backends.worker.jobs import ADAPTER, TRACE, TrainingJob
from kit.run.backends.worker.process import Worker
from kit.spec.chat.template import ChatTemplate
from kit.spec.data.interface import Example
from kit.spec.manifest.finetune import Lora, Training

if TYPE_CHECKING:
    from kit.core.canonical import Json

MODEL = Path(__file__).parents[1] / "manifests/toy/model"
SWITCHES = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "TORCHDYNAMO_DISABLE": "1"}
TRAINING: dict[str, Json] = {
    "epochs": None, "max_steps": 4, "learning_rate": 1e-3, "scheduler": "linear", "warmup_steps": 0, "batch_size": 8,
    "gradient_accumulation_steps": 1, "optimizer": "adamw_torch", "adam_beta1": 0.9, "adam_beta2": 0.999,
    "adam_epsilon": 1e-8, "weight_decay": 0.0, "max_grad_norm": 1.0, "max_length": 128, "packing": False,
    "shuffle": True, "data_seed": 3, "loss_on": "all", "dtype": "float32", "gradient_checkpointing": False,
    "system_prompt": None,
}  # fmt: skip
LORA: dict[str, Json] = {
    "rank": 8, "alpha": 16, "dropout": 0.0, "target_modules": "all-linear", "use_rslora": False,
}  # fmt: skip


def training_job(folder: Path, number: int, change: dict[str, Json]) -> TrainingJob:
    rows, out = folder / "rows.jsonl", folder / str(number)
    texts = ((f"r{n}", f"make a list of {n} things", f"{n} things") for n in range(40))
    write_rows(rows, (Example.exchange(*row).to_json() for row in texts))
    out.mkdir()
    places = {"out": str(out), "model": str(MODEL), "examples": str(rows), "template": ChatTemplate()}
    training, lora = Training.from_json(TRAINING | change), Lora.from_json(LORA)
    return TrainingJob(**places, model_name="toy", training=training, lora=lora, seed=1)  # type: ignore[arg-type]


def trained(folder: Path, *changes: dict[str, Json]) -> list[dict[str, Any]]:
    """Train once for each change, all in one worker, and return the traces."""
    jobs = [training_job(folder, number, change) for number, change in enumerate(changes)]
    events = list(Worker(dict(os.environ)).run("trl", jobs, SWITCHES, folder / "log"))
    assert [event["job"] for event in events if event["event"] == "finished"] == list(range(len(changes)))
    assert {event["done"] for event in events if event["event"] == "progress"} == {1, 2, 3, 4}
    for number in range(len(changes)):
        names = {path.relative_to(folder / str(number)).as_posix() for path in (folder / str(number)).rglob("*.*")}
        assert names == {TRACE, f"{ADAPTER}/adapter_model.safetensors", f"{ADAPTER}/adapter_config.json"}
    return [json.loads((folder / str(number) / TRACE).read_bytes()) for number in range(len(changes))]


def test_two_processes_do_the_steps_that_one_would(tmp_path: Path) -> None:
    shared: dict[str, Json] = {"processes": 2, "batch_size": 4}
    alone, two, again = trained(tmp_path, {}, shared, shared)
    assert two == again, "the same bytes a second time"
    assert two["order"] == alone["order"], "one order of the data, of which each process takes its part"
    assert len(two["order"]) == 32
    assert two["step0_weights"] == alone["step0_weights"]
    assert two["weights"] != alone["step0_weights"]
    for one, other in zip(two["losses"], alone["losses"], strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)
        assert one["grad_norm"] == pytest.approx(other["grad_norm"], rel=1e-3)


def test_what_ends_one_of_several_processes_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperationalError, match=r"the loss is (nan|inf) at step"):
        trained(tmp_path, {"processes": 2, "batch_size": 4, "learning_rate": 1e30})


def test_a_want_of_memory_in_one_of_several_processes_loses_the_job_and_no_other(tmp_path: Path) -> None:
    adapter = Lora.from_json(LORA | {"rank": 10**9})
    huge = replace(training_job(tmp_path, 0, {"processes": 2, "batch_size": 4}), lora=adapter)
    jobs = [huge, training_job(tmp_path, 1, {})]
    events = list(Worker(dict(os.environ)).run("trl", jobs, SWITCHES, tmp_path / "log"))
    lost = [(event["job"], event["what"]) for event in events if event["event"] == "lost"]
    assert lost == [(0, "ran out of memory")]
    assert [event["job"] for event in events if event["event"] == "finished"] == [1]


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not in the lock")
def test_an_adapter_is_trained_beside_weights_in_four_bits(tmp_path: Path) -> None:
    four_bits: dict[str, Json] = {"quantization": {"kind": "nf4", "double": True}}
    one, again, light = trained(tmp_path, four_bits, four_bits, four_bits | {"gradient_checkpointing": True})
    assert one == again
    assert one["weights"] != one["step0_weights"] == light["step0_weights"]
    assert one["losses"][0]["loss"] == pytest.approx(light["losses"][0]["loss"], rel=1e-4)
