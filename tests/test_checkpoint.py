"""Folders of models and adapters as people have them: what is read of them, what is left out, what cannot be loaded."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sample_bundle import sample_environment
from scripted_project import draft, write_files

from kit.core.errors import CheckFailed
from kit.run.preflight.ability import ability_problems
from kit.run.preflight.check import check
from kit.run.preflight.machine import machine_here, machine_planned
from kit.run.preflight.need import GIB, Device
from kit.spec.checkpoint.files import INDEX, WEIGHTS, adapter_files, model_files
from kit.spec.checkpoint.known import architecture_fault, known, needs_own_tokenizer
from kit.spec.manifest.load import LoadedManifest, load_manifest
from kit.spec.manifest.pin import pin
from kit.spec.manifest.places import Places
from kit.spec.weights.headers import tensors_of

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKOUT = Path(__file__).parents[1]
SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
NAMED = {"chat_template.jinja", "config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json"}
"""What the tests' model has, all of which is read."""
BESIDE = [
    *(
        "training_args.bin",
        "optimizer.pt",
        "checkpoint-20/optimizer.pt",
        "runs/events.out.tfevents",
        "trainer_state.json",
    ),
    *("original/consolidated.00.pth", "LICENSE", "LICENSE.pdf", "README.md", "USE_POLICY.md", "figures/rates.jpg"),
    *("onnx/model.onnx", "tiny-q4.gguf", "qwen.tiktoken", "tokenizer.model.v3", "tekken.json", "params.json"),
    *("consolidated.safetensors", "pytorch_model.bin", "modeling_tiny.py", "model.fp16.safetensors", ".cache/x.lock"),
]
"""What trainers, downloads and other programs leave beside a model."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_files(tmp_path / "project")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\x80 never read")


def weights(path: Path, *tensors: str) -> None:
    header = {
        name: {"dtype": "F32", "shape": [1], "data_offsets": [4 * n, 4 * n + 4]} for n, name in enumerate(tensors)
    }
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 4 * len(tensors))


def shard(model: Path, mapped: dict[str, str] | None = None) -> None:
    """Keep the weights in two files and an index."""
    for name, tensor in zip(SHARDS, "ab", strict=True):
        weights(model / name, tensor)
    (model / WEIGHTS).unlink(missing_ok=True)
    listed = mapped or dict(zip("ab", SHARDS, strict=True))
    (model / INDEX).write_text(json.dumps({"metadata": {"total_size": 8}, "weight_map": listed}))


def settle(model: Path, **changes: Any) -> None:
    """Change fields of config.json; null takes one away."""
    config = json.loads((model / "config.json").read_text()) | changes
    (model / "config.json").write_text(json.dumps({name: value for name, value in config.items() if value is not None}))


def pinned(project: Path, method: str | None = None, **model: Any) -> tuple[LoadedManifest, dict[str, Any]]:
    source = draft(method)
    source["model"] |= model
    path = project / "x.draft.json"
    path.write_text(json.dumps(source))
    found = pin(path, sample_environment())
    (project / "x.json").write_text(json.dumps(found.document))
    return load_manifest(project / "x.json"), found.filled


def refused(project: Path, method: str | None = None, **model: Any) -> str:
    with pytest.raises(CheckFailed) as raised:
        pinned(project, method, **model)
    return str(raised.value).replace(f"{project}/", "")


# What is read of a folder


def test_of_a_folder_only_what_loaders_read_is_named_and_one_line_tells_the_rest(project: Path) -> None:
    touch(project / "model", *BESIDE)
    loaded, filled = pinned(project)
    assert loaded.manifest.model.source.files.keys() == NAMED
    assert filled["$.model.files"] == (
        "5 files; left out: LICENSE, LICENSE.pdf, README.md, USE_POLICY.md, checkpoint-20/…, consolidated.safetensors, "
        "figures/…, model.fp16.safetensors, modeling_tiny.py, onnx/…, optimizer.pt, original/… and 9 more"
    )
    assert check(loaded, sample_environment()).problems == []


def test_what_lies_beside_the_named_files_is_no_problem_of_a_pinned_manifest_and_reaches_no_worker(
    project: Path, tmp_path: Path
) -> None:
    loaded, _ = pinned(project, "adapter")
    touch(project / "model", *BESIDE)
    touch(project / "adapter", "training_args.bin", "checkpoint-20/adapter_model.safetensors")
    (project / "model/vocab.json").symlink_to("/etc/passwd")
    os.mkfifo(project / "model/pipe")
    assert check(loaded, sample_environment()).problems == []
    for name, source in (("base", loaded.manifest.model.source), ("adapter", loaded.manifest.finetune.adapter)):  # type: ignore[union-attr]
        assert source is not None
        whole = loaded.places.whole(source, tmp_path / name)
        assert {path.name for path in whole.rglob("*")} == source.files.keys()


def test_templates_beside_the_first_and_every_kind_of_tokenizer_are_read() -> None:
    both = [
        "additional_chat_templates/tool_use.jinja",
        "chat_template.json",
        "tokenizer.model",
        "vocab.json",
        "merges.txt",
    ]
    choice = model_files(
        [*both, "config.json", "sub/config.json", "generation_config.json", WEIGHTS, "tokenizer.model.v3"]
    )
    assert set(choice.names) == {*both, "config.json", "generation_config.json", WEIGHTS}
    assert choice.left == ("sub/config.json", "tokenizer.model.v3")


def test_of_two_sets_of_weights_one_is_taken() -> None:
    assert {*model_files([WEIGHTS, INDEX, *SHARDS, "consolidated.safetensors"]).names} == {WEIGHTS}
    assert {*model_files([INDEX, *SHARDS, "model.fp16.safetensors"]).names} == {INDEX, *SHARDS}
    assert {*model_files([INDEX, "a.safetensors", "b.safetensors"], ["a.safetensors"]).names} == {
        INDEX,
        "a.safetensors",
    }


def test_an_adapter_brings_its_own_tokenizer_and_no_model() -> None:
    present = ["adapter_config.json", "adapter_model.safetensors", "adapter_model.bin", "tokenizer.json", "config.json"]
    assert adapter_files([*present, WEIGHTS]).names == (
        "adapter_config.json", "adapter_model.safetensors", "tokenizer.json"
    )  # fmt: skip


def test_a_snapshot_in_the_cache_of_the_hub_is_a_folder_of_links(project: Path) -> None:
    repository = project / "hub/models--ada--tiny"
    snapshot = repository / "snapshots" / ("c" * 40)
    snapshot.mkdir(parents=True)
    (project / "model").rename(repository / "blobs")
    for blob in (repository / "blobs").iterdir():
        (snapshot / blob.name).symlink_to(f"../../blobs/{blob.name}")
    path = snapshot.relative_to(project).as_posix()
    loaded, _ = pinned(project, path=path)
    assert loaded.manifest.model.source.files.keys() == NAMED
    assert check(loaded, sample_environment()).problems == []
    (repository / "blobs/config.json").write_text("{}")
    assert any("was pinned as" in one.what for one in check(loaded, sample_environment()).problems)


def test_a_snapshot_elsewhere_is_named_by_its_repository(project: Path, tmp_path: Path) -> None:
    (tmp_path / "hub/snapshots").mkdir(parents=True)
    (project / "model").rename(tmp_path / "hub/snapshots/c")
    (project / "model").symlink_to(tmp_path / "hub/snapshots/c")
    said = refused(project)
    assert "$.model.path: 'model' is a link that leaves the folder" in said
    assert (
        "name `repo` and `revision`, whose files are read from the Hub's cache (HF_HUB_OFFLINE=1 asks nobody)" in said
    )


# What cannot be loaded


def shard_badly(**mapped: str) -> Callable[[Path], None]:
    return lambda model: shard(model, dict(zip("ab", SHARDS, strict=True)) | mapped)


def only_pickles(model: Path) -> None:
    (model / WEIGHTS).rename(model / "pytorch_model.bin")


def removed(name: str) -> Callable[[Path], object]:
    return lambda model: (model / name).unlink()


def one_after_another(*changes: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda model: [change(model) for change in changes]


def renamed(name: str, to: str) -> Callable[[Path], object]:
    return lambda model: (model / name).rename(model / to)


def written(name: str, text: str) -> Callable[[Path], object]:
    return lambda model: (model / name).write_text(text)


UNLOADABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "pickles": (only_pickles, "model: has no weights as safetensors, only pytorch_model.bin; load it with"),
    "GGUF": (renamed(WEIGHTS, "tiny.gguf"), "model: has no weights as safetensors, only tiny.gguf; get them"),
    "another layout": (
        renamed(WEIGHTS, "consolidated.safetensors"),
        "model: has neither model.safetensors nor model.safetensors.index.json, which transformers loads, only consol",
    ),
    "an adapter": (
        one_after_another(renamed(WEIGHTS, "adapter_model.safetensors"), removed("config.json")),
        "model: is an adapter, not a model; name its base here, and it in `finetune.adapter`",
    ),
    "no tokenizer": (removed("tokenizer.json"), "model: has no tokenizer; put tokenizer.json"),
    "half a tokenizer": (renamed("tokenizer.json", "vocab.json"), "model: has a vocab.json without merges.txt"),
    "a SentencePiece model that would be cut otherwise": (
        one_after_another(renamed("tokenizer.json", "tokenizer.model"), lambda one: settle(one, model_type="mistral")),
        "model: transformers would not cut text as tokenizer.model alone says",
    ),
    "no configuration": (removed("config.json"), "model: has no config.json"),
    "a missing shard": (shard_badly(c="model-00003-of-00003.safetensors"), "names model-00003-of-00003"),
    "an empty index": (one_after_another(shard, written(INDEX, "{}")), "names no files of weights"),
    "Git LFS": (
        written("tokenizer.json", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        "model: tokenizer.json is what Git LFS leaves in place of the file; `git lfs pull` brings it",
    ),
    "a comment": (
        written("generation_config.json", '{"a": 1} // mine'),
        "mend it, or get it again, or leave it out of `files`",
    ),
    "a byte order mark": (written("config.json", "\ufeff{}"), "model/config.json: begins with a byte order mark"),
    "a kind of model that nobody knows": (
        lambda model: settle(model, model_type="tinygpt_epoch"),
        "model: transformers 5.19.0 does not know its model_type 'tinygpt_epoch'; use a model of a kind that it knows",
    ),
    "one that needs its own code": (
        lambda model: settle(model, model_type="tinygpt_epoch", auto_map={"AutoConfig": "a.B"}),
        "and config.json asks for code of its own (auto_map); the kit runs no remote code",
    ),
    "an encoder": (lambda model: settle(model, model_type="deberta-v2"), "model: is no model that writes text to"),
    "a classifier": (
        lambda model: settle(model, architectures=["LlamaForSequenceClassification"]),
        "model: vLLM 0.32.0 cannot serve its architecture 'LlamaForSequenceClassification' as a model that writes text",
    ),
    "a model without its head": (lambda model: settle(model, architectures=["LlamaModel"]), "cannot serve its arch"),
    "no architecture": (lambda model: settle(model, architectures=None), "config.json names no architectures"),
    "no kind": (lambda model: settle(model, model_type=None), "config.json has no model_type"),
    "a tokenizer of its own": (
        written("tokenizer_config.json", '{"auto_map": {"AutoTokenizer": ["a.B", null]}, "tokenizer_class": "Tiny"}'),
        "model: tokenizer_config.json asks for code of its own (auto_map)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNLOADABLE)
def test_what_cannot_be_loaded_is_refused_when_it_is_pinned(name: str, project: Path) -> None:
    change, sentence = UNLOADABLE[name]
    change(project / "model")
    assert sentence in refused(project)


def test_an_adapter_of_pickles_is_refused(project: Path) -> None:
    adapter = project / "adapter"
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    said = refused(project, "adapter")
    assert (
        "$.finetune.adapter.path: adapter: has no adapter_model.safetensors, only adapter_model.bin; load it with"
        in said
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pytorch_model.bin", "model: pytorch_model.bin could run code when it is loaded; leave it out of `files`"),
        ("modeling.py", "model: modeling.py could run code when it is loaded"),
        ("LICENSE.pdf", "model: LICENSE.pdf is no file that a model is loaded from; leave it out of `files`"),
    ],
)
def test_what_could_run_code_is_refused_where_it_is_named(name: str, said: str, project: Path) -> None:
    touch(project / "model", name)
    assert said in refused(project, files=dict.fromkeys([*NAMED, name]))


def test_two_sets_of_weights_that_are_both_named_are_refused(project: Path) -> None:
    shard(project / "model")
    weights(project / "model" / WEIGHTS, "a")
    said = refused(project, files=dict.fromkeys([*NAMED, INDEX, *SHARDS]))
    assert "there are two sets of weights, model.safetensors and those of model.safetensors.index.json" in said
    said = refused(project, files=dict.fromkeys([*NAMED - {WEIGHTS}, INDEX, *SHARDS, "other.safetensors"]))
    assert "model/other.safetensors is missing" in said
    weights(project / "model/other.safetensors", "c")
    said = refused(project, files=dict.fromkeys([*NAMED - {WEIGHTS}, INDEX, *SHARDS, "other.safetensors"]))
    assert "model.safetensors.index.json does not name other.safetensors; leave out of `files`" in said


def test_a_model_in_shards_is_read_as_its_index_says(project: Path) -> None:
    shard(project / "model")
    touch(project / "model", "model-00001-of-00003.safetensors")
    loaded, _ = pinned(project)
    source = loaded.manifest.model.source
    assert source.files.keys() == (NAMED - {WEIGHTS}) | {INDEX, *SHARDS}
    assert tensors_of(loaded.places, source).keys() == {"a", "b"}
    shard(project / "model", dict(zip("bc", SHARDS, strict=True)))
    with pytest.raises(CheckFailed, match="names 2 tensors that are not where it says, the first is 'b'"):
        tensors_of(Places(project), source)


# What has code of its own and needs none


def test_code_is_no_matter_where_transformers_has_a_class() -> None:
    phi: dict[str, Any] = {
        "model_type": "phi3",
        "architectures": ["Phi3ForCausalLM"],
        "auto_map": {"AutoConfig": "c.C"},
    }
    assert architecture_fault(phi) is None
    mine: dict[str, Any] = {"auto_map": {"AutoTokenizer": ["t.T", None]}, "tokenizer_class": "TinyTokenizer"}
    assert needs_own_tokenizer({"model_type": "llama"}, mine)
    assert not needs_own_tokenizer({"model_type": "qwen2"}, mine)
    assert not needs_own_tokenizer({"model_type": "llama"}, mine | {"tokenizer_class": "LlamaTokenizerFast"})
    assert not needs_own_tokenizer({"model_type": "llama"}, {"auto_map": {"AutoProcessor": "p.P"}})


def test_a_sentencepiece_model_alone_is_enough_where_transformers_has_its_class(project: Path) -> None:
    renamed("tokenizer.json", "tokenizer.model")(project / "model")
    written("tokenizer_config.json", '{"tokenizer_class": "LlamaTokenizer"}')(project / "model")
    assert "tokenizer.model" in pinned(project)[0].manifest.model.source.files


def test_what_is_known_of_the_libraries_is_what_the_installed_ones_say() -> None:
    """Made anew, the list is the one that is shipped; after a change of the locks, make it anew."""
    made = subprocess.run(
        [sys.executable, "-m", "locks.known"],
        cwd=CHECKOUT, env={**os.environ, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert made.stdout == (CHECKOUT / "kit/spec/checkpoint/known.json").read_text()
    assert {"llama", "mistral", "qwen3", "gemma2", "phi3"} <= known().causal


# Models of other people's that were published so


@pytest.mark.parametrize(
    "folder",
    sorted((CHECKOUT.parent / "shared/zoo/models").glob("*/config.json")) or [None],
    ids=lambda one: one and one.parent.name,
)
def test_published_models_pin_or_are_refused_in_words(folder: Path | None, project: Path) -> None:
    if folder is None:
        pytest.skip("the published configurations are not beside this checkout")
    for file in folder.parent.glob("*.json"):
        (project / "model" / file.name).write_bytes(file.read_bytes())
    config = json.loads(folder.read_bytes())
    unknown = config["model_type"] not in known().causal or config["architectures"][0].startswith("Mllama")
    broken = folder.parent.name == "qwen1.5-moe-chat"  # whose generation configuration lacks a comma
    if unknown or broken:
        said = refused(project)
        assert ("generation_config.json: is not JSON" if broken else "model: ") in said
    else:
        assert check(pinned(project)[0], sample_environment()).problems == []


# What a machine cannot do with them

MEMORY = Device("memory", 512 * GIB, is_accelerator=False)


def unable(loaded: LoadedManifest, *, accelerated: bool) -> list[str]:
    machine = machine_planned([80], MEMORY) if accelerated else machine_here({"accelerators": []})
    return [f"{one.path}: {one.what}; {one.remedy}" for one in ability_problems(loaded, machine, {}, [])]


@pytest.mark.parametrize("kind", ["gptq", "awq", "fp8", "mxfp4", "compressed-tensors", "bitsandbytes"])
def test_quantized_weights_are_asked_on_an_accelerator_and_not_trained(kind: str, project: Path) -> None:
    settle(project / "model", quantization_config={"quant_method": kind, "bits": 4})
    (base, _), on_cpu = (
        pinned(project),
        f"$.model.path: weights that are quantized ({kind}) are read on an accelerator only",
    )
    if kind == "bitsandbytes":
        on_cpu = "$.model.path: vLLM 0.32.0 does not load weights that are quantized by bitsandbytes; use the model"
        assert unable(base, accelerated=True)[0].startswith(on_cpu)
    else:
        assert unable(base, accelerated=True) == []
        assert "an adapter is not merged into" in unable(pinned(project, "adapter")[0], accelerated=True)[0]
    assert unable(base, accelerated=False)[0].startswith(on_cpu)
    trained = unable(pinned(project, "lora")[0], accelerated=True)[-1]
    assert trained == (
        f"$.finetune.method: a model that is quantized ({kind}) is not trained; use the model as it was before it was "
        "quantized, with finetune.training.quantization for QLoRA"
    )


def test_how_weights_are_quantized_may_stand_beside_the_configuration(project: Path) -> None:
    (project / "model/quantize_config.json").write_text('{"bits": 4, "group_size": 128}')
    assert "weights that are quantized (gptq)" in unable(pinned(project)[0], accelerated=False)[0]


def test_a_model_that_reads_pictures_too_is_told_where_it_cannot_be_served(project: Path) -> None:
    settle(project / "model", model_type="gemma3", architectures=["Gemma3ForConditionalGeneration"])
    loaded, _ = pinned(project)
    assert "needs torchvision, which the install for processors lacks" in unable(loaded, accelerated=False)[0]
    assert "has no preprocessor_config.json" in unable(loaded, accelerated=True)[0]
    (project / "model/preprocessor_config.json").write_text("{}")
    assert unable(pinned(project)[0], accelerated=True) == []
