"""Whether a run fits, told before it starts: memory by part, context length, disk, and what to lower."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from real_kit import kit as real_kit
from scripted_project import draft, kit, write_files, write_manifest

from kit.core.errors import CheckFailed
from kit.run.plan import make_plan
from kit.run.preflight.ability import ability_problems
from kit.run.preflight.disk import disk_usages
from kit.run.preflight.generation import cache_bytes, merging_parts
from kit.run.preflight.machine import Machine, machine_here, machine_pinned, machine_planned
from kit.run.preflight.need import GIB, Device
from kit.run.preflight.resources import ResourceEstimate, fit
from kit.run.preflight.training import layer_bytes, training_parts
from kit.run.preflight.weights import lora_parameters, parameters, weights_bytes
from kit.spec.manifest.finetune import Finetune, Lora
from kit.spec.manifest.load import load_manifest
from kit.spec.manifest.places import Places
from kit.spec.weights.headers import Tensor, read_header, tensors_of
from kit.spec.weights.shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json
    from kit.run.preflight.need import Part

MANIFESTS = Path(__file__).parents[1] / "manifests"
TRAINING: dict[str, Any] = {
    "epochs": 1, "max_steps": None, "learning_rate": 1e-4, "scheduler": "linear", "warmup_steps": 0, "batch_size": 8,
    "gradient_accumulation_steps": 1, "optimizer": "adamw_torch", "adam_beta1": 0.9, "adam_beta2": 0.999,
    "adam_epsilon": 1e-8, "weight_decay": 0.0, "max_grad_norm": 1.0, "max_length": 1024, "packing": False,
    "shuffle": True, "loss_on": "assistant", "dtype": "bfloat16", "gradient_checkpointing": False,
    "system_prompt": None,
}  # fmt: skip
LORA: dict[str, Any] = {"rank": 8, "alpha": 16, "dropout": 0.0, "target_modules": "all-linear", "use_rslora": False}
LLAMA_8B: dict[str, Any] = {
    "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 131072,
    "rope_scaling": {"rope_type": "llama3", "factor": 8.0},
}  # fmt: skip
"""As meta-llama/Llama-3.1-8B-Instruct publishes it."""


def llama(config: Mapping[str, Any], *, tied: bool = False) -> dict[str, Tensor]:
    """Return the tensors of a Llama-like model in bf16."""
    hidden, wide, words = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    head = config.get("head_dim", hidden // config["num_attention_heads"])
    query, narrow = head * config["num_attention_heads"], head * config["num_key_value_heads"]
    each: dict[str, tuple[int, ...]] = {
        "self_attn.q_proj": (query, hidden), "self_attn.k_proj": (narrow, hidden), "self_attn.v_proj": (narrow, hidden),
        "self_attn.o_proj": (hidden, query), "mlp.gate_proj": (wide, hidden), "mlp.up_proj": (wide, hidden),
        "mlp.down_proj": (hidden, wide), "input_layernorm": (hidden,), "post_attention_layernorm": (hidden,),
    }  # fmt: skip
    found = {"model.embed_tokens.weight": (words, hidden), "model.norm.weight": (hidden,)}
    found |= {} if tied else {"lm_head.weight": (words, hidden)}
    for layer in range(config["num_hidden_layers"]):
        found |= {f"model.layers.{layer}.{name}.weight": dims for name, dims in each.items()}
    return {name: Tensor("BF16", dims) for name, dims in found.items()}


def finetune(method: str = "lora", *, lora: Mapping[str, Any] = LORA, **training: Any) -> Finetune:
    document = {"method": method, "data": "rows", "training": {**TRAINING, **training}, "serving": "merged"}
    return Finetune.from_json(document | ({"lora": dict(lora)} if method == "lora" else {}))


def gib(parts: tuple[Part, ...], *names: str) -> float:
    return sum(part.size for part in parts if not names or part.name in names) / GIB


@pytest.fixture(autouse=True)
def _roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test depend on how full this machine's disk is."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1 << 50))


# Models as they are published


def test_a_model_is_counted_from_its_files_alone() -> None:
    shape = shape_of(LLAMA_8B, llama(LLAMA_8B))
    assert parameters(shape) == 8_030_261_248  # the model card's 8.03 billion
    assert weights_bytes(shape, "float32") == 4 * 8_030_261_248
    assert lora_parameters(shape, Lora.from_json(LORA)) == 20_971_520  # what PEFT prints for rank 8
    few = Lora.from_json({**LORA, "target_modules": ["q_proj", "v_proj"]})
    assert lora_parameters(shape, few) == 3_407_872
    assert shape.block is not None
    assert cache_bytes(shape.block, "bfloat16") == 128 << 10  # 2 · 32 · 8 · 128 numbers
    assert shape.longest == 131072  # its own kind of RoPE is in that number already


def test_the_embedded_model_is_what_its_file_weighs() -> None:
    loaded = load_manifest(MANIFESTS / "quickstart.json")
    tensors = tensors_of(loaded.places, loaded.manifest.model.source)
    path = MANIFESTS / "toy/model/model.safetensors"
    header = struct.unpack("<Q", path.read_bytes()[:8])[0]
    assert sum(one.stored_bytes for one in tensors.values()) == path.stat().st_size - 8 - header


@pytest.mark.parametrize(
    ("config", "numbers", "is_bound"),
    [
        # Gemma 3 keeps its text part apart, and five of six layers look at a window.
        (
            {"model_type": "gemma3", "vision_config": {"hidden_size": 1152}, "text_config": {
                "hidden_size": 3840, "num_hidden_layers": 48, "num_attention_heads": 16, "num_key_value_heads": 8,
                "head_dim": 256, "vocab_size": 262208, "sliding_window": 1024}},
            2 * 48 * 8 * 256, True,
        ),
        # Qwen 2.5 names a window that it does not use.
        (
            {"hidden_size": 3584, "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4,
             "vocab_size": 152064, "sliding_window": 131072, "use_sliding_window": False},
            2 * 28 * 4 * 128, False,
        ),
        # DeepSeek-V2-Lite keeps one latent vector.
        (
            {"hidden_size": 2048, "num_hidden_layers": 27, "num_attention_heads": 16, "num_key_value_heads": 16,
             "vocab_size": 102400, "kv_lora_rank": 512, "qk_rope_head_dim": 64},
            27 * (512 + 64), False,
        ),
        # A hybrid: every fourth layer attends.
        (
            {"hidden_size": 2048, "num_hidden_layers": 8, "num_attention_heads": 16, "num_key_value_heads": 2,
             "head_dim": 128, "vocab_size": 1000, "layer_types": (["linear_attention"] * 3 + ["full_attention"]) * 2},
            2 * 2 * 2 * 128, True,
        ),
    ],
)  # fmt: skip
def test_the_cache_of_other_attentions(config: dict[str, Any], numbers: int, *, is_bound: bool) -> None:
    block = shape_of(config, {}).block
    assert block is not None
    assert (cache_bytes(block, "bfloat16"), block.cache_is_bound) == (2 * numbers, is_bound)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"hidden_size": "4096", "num_hidden_layers": 1.5, "num_attention_heads": True, "vocab_size": -1},
        {**LLAMA_8B, "text_config": [], "rope_scaling": 7, "layer_types": "all", "head_dim": None},
        {**LLAMA_8B, "rope_scaling": {"rope_type": [], "factor": 1e300}, "num_experts_per_tok": {}},
        {**LLAMA_8B, "rope_scaling": {"rope_type": "linear", "factor": 1e308}},
    ],
)
def test_an_odd_configuration_leaves_things_unknown_and_breaks_nothing(config: dict[str, Any]) -> None:
    shape = shape_of(config, llama(LLAMA_8B))
    assert training_parts(shape, finetune(), 100, on_accelerator=True)
    assert merging_parts(shape, None, "bfloat16")


@pytest.mark.parametrize(
    "content",
    [b"", b"version https://git-lfs.github.com/spec/v1\n", struct.pack("<Q", 1 << 62), struct.pack("<Q", 2) + b"[]",
     struct.pack("<Q", 26) + b'{"a":{"dtype":1,"shape":1}}', struct.pack("<Q", 9) + b"{"],
)  # fmt: skip
def test_what_is_no_safetensors_file_is_said_to_be_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckFailed):
        read_header(path)


@pytest.mark.parametrize(
    "tensor",
    [
        {"dtype": "F" + "9" * 5000, "shape": [1]},
        {"dtype": "F²", "shape": [1]},
        {"dtype": "", "shape": [1]},
        {"dtype": "F32", "shape": [2**53 - 1] * 100_000},
        {"dtype": "F32", "shape": [2**53 - 1] * 40},
        {"dtype": "F32", "shape": [-1]},
        {"dtype": "F32", "shape": [1.5]},
        {"dtype": "F32", "shape": [True]},
    ],
)
def test_a_header_that_lies_is_refused_and_not_computed_with(tensor: dict[str, Any], tmp_path: Path) -> None:
    text = json.dumps({"a": tensor}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(CheckFailed, match=r"model\.safetensors: is not a safetensors file; fetch it again"):
        read_header(path)


@pytest.mark.parametrize("change", [-1, 1])
def test_weights_that_were_cut_off_on_their_way_are_refused_before_anything_is_loaded(
    change: int, tmp_path: Path
) -> None:
    text = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(8))
    assert read_header(path) == {"a": Tensor("F32", (2,))}
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(8 + change))
    with pytest.raises(CheckFailed, match="where its own header tells of"):
        read_header(path)


# Training


def test_full_training_is_sixteen_bytes_a_parameter_in_fp32_and_eight_in_bf16() -> None:
    """Rajbhandari et al. 2020, section 3.1, with moments in the weights' own precision."""
    shape = shape_of(LLAMA_8B, llama(LLAMA_8B))
    for dtype, each in (("float32", 16), ("bfloat16", 8)):
        parts = training_parts(
            shape, finetune("full", dtype=dtype, gradient_accumulation_steps=2), 8, on_accelerator=True
        )
        states = ("weights", "optimizer state", "gradients")
        assert gib(parts, *states) * GIB == each * parameters(shape)


SAVED = """
import contextlib, json, sys, torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

def saved(lora, half, few):
    config = AutoConfig.from_pretrained(sys.argv[1])
    config.hidden_size, config.num_hidden_layers, config.intermediate_size = 256, 3, 704
    config.num_attention_heads, config.num_key_value_heads, config.head_dim = 8, 8, 32
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16 if half else torch.float32)
    if lora:
        targets = ["q_proj", "v_proj"] if few else "all-linear"
        model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules=targets))
    known, found = {one.untyped_storage().data_ptr() for one in model.parameters()}, {}
    def pack(tensor):
        place = tensor.untyped_storage()
        if place.data_ptr() not in known:
            found[place.data_ptr()] = place.nbytes()
        return tensor
    tokens = torch.randint(5, 500, (2, 128))
    auto = torch.autocast("cpu", torch.bfloat16) if half else contextlib.nullcontext()
    with auto, torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        (model.get_base_model() if lora else model).model(input_ids=tokens, use_cache=False)
    return sum(found.values()) / tokens.numel() / 3

cases = [(True, False, False), (True, True, False), (True, False, True), (False, False, False), (False, True, False)]
print(json.dumps([saved(*case) for case in cases]))
"""


def test_activations_are_what_the_pinned_libraries_keep() -> None:
    """Held against the tensors that autograd really saves, layer by layer, of a model as transformers builds it."""
    done = subprocess.run(
        [sys.executable, "-c", SAVED, str(MANIFESTS / "toy/model")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    config = {**LLAMA_8B, "hidden_size": 256, "num_hidden_layers": 3, "intermediate_size": 704,
              "num_attention_heads": 8, "num_key_value_heads": 8, "vocab_size": 500}  # fmt: skip
    shape = shape_of(config, llama(config))
    few = {**LORA, "target_modules": ["q_proj", "v_proj"]}
    cases = [
        finetune(dtype="float32"), finetune(), finetune(dtype="float32", lora=few),
        finetune("full", dtype="float32"), finetune("full"),
    ]  # fmt: skip
    assert shape.block is not None
    for case, measured in zip(cases, json.loads(done.stdout.splitlines()[-1]), strict=True):
        estimated = layer_bytes(shape, shape.block, case)
        assert 0.9 < estimated / measured < 1.1, (case.method, case.training and case.training.dtype, measured)


def test_what_lowers_memory_lowers_the_estimate() -> None:
    shape = shape_of(LLAMA_8B, llama(LLAMA_8B))

    def size(**changes: Any) -> float:
        return gib(training_parts(shape, finetune(**changes), 1024, on_accelerator=True))

    whole = size()
    assert size(gradient_checkpointing=True) < size(batch_size=1) < size(batch_size=4) < whole < size(dtype="float32")
    assert size(method="full") > whole
    assert size(lora={**LORA, "target_modules": ["q_proj"]}) < whole


# What is said

LIGHT = {"gradient_checkpointing": True}


def study(
    folder: Path,
    *,
    config: Mapping[str, Any] = LLAMA_8B,
    training: Mapping[str, Any] | None = None,
    engine: Mapping[str, Any] | None = None,
) -> Path:
    """Write a project whose model is, by its config.json and headers, one of the Hub's, without a weight; pin it."""
    write_files(folder)
    tensors = llama(config)
    header: dict[str, Any] = {}
    for name, tensor in tensors.items():
        header[name] = {"dtype": "BF16", "shape": list(tensor.dims), "data_offsets": [0, 0]}
    text = json.dumps(header).encode()
    (folder / "model/model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    kind = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], **config}
    (folder / "model/config.json").write_text(json.dumps(kind), encoding="utf-8")
    document = draft()
    document["model"]["dtype"] = "bfloat16"
    document["finetune"]["training"] = {"epochs": 1, "learning_rate": 1e-4, "batch_size": 8, "max_length": 4096,
                                        "packing": True, "dtype": "bfloat16"}  # fmt: skip
    document["engine"] = {"max_model_len": 4096, "kv_cache_mib": 1024, "max_num_batched_tokens": 8192}
    document["finetune"]["training"] |= training or {}
    document["engine"] |= engine or {}
    return write_manifest(folder, source=document)


def machine(gib_of_device: float, *, memory: float = 512) -> Machine:
    return machine_planned([gib_of_device], Device("memory", int(memory * GIB), is_accelerator=False))


def said(manifest: Path, on: Machine) -> tuple[ResourceEstimate, str]:
    found = fit(load_manifest(manifest), on, manifest.parent)
    return found, "\n".join(map(str, [*found.problems, *found.warnings]))


def test_what_is_too_much_names_what_to_lower_and_that_then_fits(tmp_path: Path) -> None:
    on = machine(80)
    found, text = said(study(tmp_path / "one"), on)
    assert "$.finetune.training: training tuned needs about " in text
    assert "of 80.0 GiB (80 GiB accelerator): activations " in text
    assert "; set finetune.training.gradient_checkpointing, or lower finetune.training.batch_size from 8 to " in text
    assert found.problems
    assert said(study(tmp_path / "two", training=LIGHT), on)[1] == ""
    smaller = int(text.partition("batch_size from 8 to ")[2].split()[0])
    steps = int(text.partition("gradient_accumulation_steps from 1 to ")[2].split()[0])
    assert smaller * steps == 8
    changed = study(tmp_path / "three", training={"batch_size": smaller, "gradient_accumulation_steps": steps})
    assert said(changed, on)[1] == ""


def test_an_estimate_near_the_limit_is_a_note_and_what_is_certain_stops(tmp_path: Path) -> None:
    manifest = study(tmp_path / "one", training=LIGHT)
    needed = {need.step: need.size / GIB for need in said(manifest, machine(1000))[0].needs}
    near, _ = said(manifest, machine(needed["training"] * 1.05))
    assert (near.problems, len(near.warnings) > 0) == ([], True)
    far, text = said(manifest, machine(10))
    assert far.problems
    assert "use a device with at least " in text


def test_an_engine_is_told_how_much_cache_it_can_have(tmp_path: Path) -> None:
    manifest = study(tmp_path / "one", training=LIGHT, engine={"kv_cache_mib": 60_000})
    _, text = said(manifest, machine(48))
    assert "asking base, tuned needs about " in text
    lower = int(text.partition("lower engine.kv_cache_mib from 60000 to ")[2].split()[0])
    again = study(tmp_path / "two", training=LIGHT, engine={"kv_cache_mib": lower})
    assert said(again, machine(48))[1] == ""


def test_what_keeps_the_engine_from_starting_is_found(tmp_path: Path) -> None:
    config = {**LLAMA_8B, "max_position_embeddings": 2048, "rope_scaling": None}
    found, text = said(study(tmp_path / "one", config=config, engine={"kv_cache_mib": 256}), machine(1000))
    assert len(found.problems) == 2
    assert "$.engine.max_model_len: 4096 is more than the model's own longest sequence, 2048; lower it to 2048" in text
    assert "a cache of 256 MiB holds 2032 tokens, less than one sequence of max_model_len (4096)" in text


def test_merging_needs_the_machines_own_memory(tmp_path: Path) -> None:
    manifest = study(tmp_path / "one", training=LIGHT)
    found, text = said(manifest, machine(200, memory=16))
    assert "merging tuned needs about 3" in text
    assert "of 16.0 GiB (memory): weights in fp32 " in text
    assert "set finetune.serving to adapter" in text
    assert found.problems


# Machines


def test_a_run_is_planned_for_what_is_named_else_for_what_is_here_else_for_what_was_pinned() -> None:
    manifest = load_manifest(MANIFESTS / "quickstart.json").manifest
    here = dict(manifest.environment)
    assert not machine_here(here).device.is_accelerator
    assert machine_pinned(here) is None
    card: dict[str, Json] = {"model": "NVIDIA H200", "memory_mib": 143771, "driver": "580", "cuda": "13.0"}
    two = machine_here({**here, "accelerators": [card, {**card, "memory_mib": 1024}]})
    assert (two.device.size, two.device.count) == (1 << 30, 2)
    assert not machine_here({**here, "accelerators": [{**card, "memory_mib": 0}]}).device.is_accelerator
    pinned = machine_pinned({**here, "accelerators": [card]})
    assert pinned is not None
    assert "as pinned" in pinned.device.name


def test_the_command_line_estimates_for_a_machine_that_is_not_here(tmp_path: Path) -> None:
    manifest = study(tmp_path / "one", training=LIGHT)
    small = kit("check", manifest, "--accelerator", "8", home=tmp_path)
    assert (small.returncode, "8.0 GiB (8 GiB accelerator)" in small.stderr) == (1, True)
    large = kit("check", manifest, "--accelerator", "141", "--accelerator", "141", "--json", home=tmp_path)
    document = json.loads(large.stdout)
    assert {one["device"]["count"] for one in document["resources"]["needs"] if one["step"] != "merging"} == {2}
    training = next(one for one in document["resources"]["needs"] if one["step"] == "training")
    assert training["bytes"] == sum(part["bytes"] for part in training["parts"])


# Lengths


def test_tokens_are_counted_where_there_is_a_tokenizer(tmp_path: Path) -> None:
    done = real_kit("check", MANIFESTS / "quickstart.json", "--resources", "--json", home=tmp_path)
    exact = {one["name"]: one for one in json.loads(done.stdout)["resources"]["lengths"]}
    loose = {one.name: one for one in fit(*here(MANIFESTS / "quickstart.json")).windows}
    assert all(one["counted"] for one in exact.values())
    for name, one in exact.items():
        assert 0 < one["longest"] <= loose[name].lengths.longest, "bytes are no fewer than tokens"
    said = real_kit("check", MANIFESTS / "quickstart.json", "--resources", home=tmp_path).stdout
    assert "tokens: counted by each model's own tokenizer" in said


@pytest.mark.parametrize("name", ["quickstart", "study"])
def test_a_run_whose_texts_surely_fit_starts_no_worker_to_count(name: str) -> None:
    assert not fit(*here(MANIFESTS / f"{name}.json")).is_in_doubt


def here(manifest: Path) -> tuple[Any, Machine, Path]:
    loaded = load_manifest(manifest)
    return loaded, machine_here(loaded.manifest.environment), Path()


def changed_quickstart(folder: Path, change: Any) -> Path:
    shutil.copytree(MANIFESTS / "toy", folder / "toy")
    document = json.loads((MANIFESTS / "quickstart.json").read_text(encoding="utf-8"))
    change(document)
    path = folder / "study.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_a_prompt_that_is_too_long_and_rows_that_are_cut_are_told_before_a_run(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["engine"]["max_model_len"] = 79
        document["finetune"]["training"]["max_length"] = 32

    manifest = changed_quickstart(tmp_path, change)
    checked = real_kit("check", manifest, "--resources", home=tmp_path, code=1)
    assert "the longest prompt of unsafe has 16 tokens and may get 64 more; raise it to 80" in checked.stderr
    assert "rows are longer than 32 tokens and are cut; the longest has 49" in checked.stderr
    ran = real_kit("reproduce", "--no-rehearsal", manifest, "--out", tmp_path / "out", home=tmp_path, code=1)
    assert "$.engine.max_model_len: the longest prompt of unsafe has 16 tokens" in ran.stderr


# Disk


def test_a_disk_that_is_too_small_is_told_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = write_manifest(write_files(tmp_path / "one"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1 << 20))
    _, text = said(manifest, machine(100))
    assert f"{manifest.parent}: about 64 MiB of disk are needed, 1 MiB are free; free some, or choose another" in text


def test_a_temporary_folder_too_small_for_a_merged_model_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = study(tmp_path / "one", training=LIGHT)
    monkeypatch.setattr(tempfile, "tempdir", "/proc")  # never on the disk of the project
    free = {"/proc": 1 << 30}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free.get(str(path), 1 << 40)))
    found, text = said(manifest, machine(100))
    assert "/proc: about 15316 MiB of disk are needed, 1024 MiB are free; set TMPDIR to a larger folder" in text
    assert found.problems


def test_full_models_are_written_once_for_each_seed(tmp_path: Path) -> None:
    manifest = write_manifest(write_files(tmp_path / "one"), source=draft("full"))
    loaded = load_manifest(manifest)
    shape = shape_of(LLAMA_8B, llama(LLAMA_8B))
    (usage, *_) = disk_usages(loaded, shape, tmp_path, prompts=10)
    assert usage.certain >= 2 * 4 * parameters(shape), "two seeds, in fp32"


# What hardware and packages can do


def unable(manifest: Path, on: Machine, packages: dict[str, str] | None = None, *capabilities: float) -> str:
    return "\n".join(map(str, ability_problems(load_manifest(manifest), on, packages or {}, capabilities)))


def test_a_number_format_that_the_accelerator_lacks_is_told(tmp_path: Path) -> None:
    manifest = study(tmp_path / "one")
    assert unable(manifest, machine(80), None, 8.0, 9.0) == ""
    said = unable(manifest, machine(80), None, 9.0, 7.5)
    assert "$.finetune.training.dtype: an accelerator of compute capability 7.5 does not calculate in bfloat16" in said
    assert "$.model.dtype: an accelerator of compute capability 7.5" in said
    half = study(tmp_path / "two", training={"dtype": "float16"})
    assert "$.finetune.training.dtype: a processor does not train in float16" in unable(
        half, machine_here({"accelerators": []})
    )


def test_four_bits_need_their_package_and_frozen_weights(tmp_path: Path) -> None:
    manifest = study(tmp_path / "one", training={"quantization": {"kind": "nf4"}})
    assert "weights in four bits need bitsandbytes" in unable(manifest, machine(80), {"trl": "1.16.0"})
    assert unable(manifest, machine(80), {"trl": "1.16.0", "bitsandbytes": "0.50.2"}) == ""
    assert unable(manifest, machine(80)) == "", "nothing is installed in the reviewer's environment"
    source = draft("full")
    source["finetune"]["training"]["quantization"] = {"kind": "nf4"}
    with pytest.raises(CheckFailed, match="weights in four bits cannot be trained"):
        write_manifest(write_files(tmp_path / "two"), source=source)


def test_more_accelerators_than_there_are_or_than_heads_divide_by(tmp_path: Path) -> None:
    manifest = study(tmp_path / "one", training={"processes": 4}, engine={"tensor_parallel_size": 3})
    one, four = machine(80), machine_planned([80] * 4, Device("memory", 512 * GIB, is_accelerator=False))
    assert "4 processes need 4 accelerators, and there are 1; lower it to 1" in unable(manifest, one)
    assert "needs 3 accelerators, and there are 1; lower them to 1 together" in unable(manifest, one)
    assert unable(manifest, four) == ""
    assert (
        "$.engine.tensor_parallel_size: 32 attention heads cannot be divided by 3; lower it to 2"
        in said(manifest, four)[1]
    )


def test_accelerators_share_an_engine_and_copy_a_training(tmp_path: Path) -> None:
    def needs(**changes: Any) -> dict[str, float]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        return {one.step: one.size for one in said(study(folder, **changes), four)[0].needs}

    four = machine_planned([80] * 4, Device("memory", 512 * GIB, is_accelerator=False))
    alone, shared = needs(), needs(training={"processes": 4}, engine={"tensor_parallel_size": 4})
    assert shared["asking"] < alone["asking"] / 2
    assert shared["training"] > alone["training"], "each has everything, and the sums of the others"
    assert needs(training={"quantization": {"kind": "nf4"}})["training"] < alone["training"] - 7 * GIB


def test_rows_that_the_last_step_sees_again_are_a_note(tmp_path: Path) -> None:
    manifest = study(tmp_path / "one", training={"processes": 4, "packing": False, **LIGHT})
    _, text = said(manifest, machine(1000))
    assert "6 rows are no multiple of batch_size × processes (32): the last step sees some rows again" in text


def test_what_came_later_and_is_not_used_changes_no_digest(tmp_path: Path) -> None:
    old = load_manifest(MANIFESTS / "quickstart.json")
    document = json.loads((MANIFESTS / "quickstart.json").read_text(encoding="utf-8"))
    document["finetune"]["training"] |= {"quantization": None, "processes": None}
    document["engine"] |= {"tensor_parallel_size": None, "pipeline_parallel_size": None}
    path = tmp_path / "new.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    new = load_manifest(path, Places(MANIFESTS))
    assert new.digest == old.digest
    keys = [[step.key for step in make_plan(one, one.manifest.environment).asked] for one in (old, new)]
    assert keys[0] == keys[1]
