"""Adapters: applied as a whole and merged exactly, or refused in words before any work."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import torch
from adapters import CONFIG, KINDS, TOY, WEIGHTS, edit, lora, make, other, rename, tiny, untied
from peft import PeftModel
from safetensors.torch import load_file, save_file
from sample_bundle import sample_environment
from sharded import INDEX, shard
from transformers import AutoModelForCausalLM

from kit.core.errors import CheckFailed
from kit.run.backends.generation import merge
from kit.run.backends.generation.agreement import logits, require_agreement, shown_tokens
from kit.run.backends.generation.applying import servable
from kit.run.backends.generation.merge import merged_model
from kit.run.backends.worker.jobs import JobError
from kit.run.plan import make_plan
from kit.run.preflight.check import check
from kit.spec.adapter.config import ENGINE_RANKS, engine_rank
from kit.spec.manifest.load import load_manifest
from kit.spec.manifest.pin import pin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kit.run.preflight.check import CheckReport

TOKENS = shown_tokens(320)


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bases")
    tied = tiny(folder / "tied")
    return {"tied": tied, "untied": untied(tied, folder / "untied")}


def as_peft_computes(base: Path, adapter: Path) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter)
    return logits(model.eval(), TOKENS)


def as_merged(base: Path, adapter: Path) -> torch.Tensor:
    with merged_model(base, adapter, "float32") as (folder, _):
        return logits(AutoModelForCausalLM.from_pretrained(folder).eval(), TOKENS)


ENDS = (
    "head",
    "embeddings",
    "both ends",
    "ends as one",
    "dora head",
    "saved head",
    "saved ends",
    "saved as one",
    "tokens",
)


@pytest.mark.parametrize(("kind", "base"), [(kind, "tied") for kind in KINDS] + [(kind, "untied") for kind in ENDS])
def test_what_is_merged_computes_what_peft_computes(
    kind: str, base: str, bases: dict[str, Path], tmp_path: Path
) -> None:
    adapter = make(tmp_path / "adapter", KINDS[kind](), bases[base])
    found, true = as_merged(bases[base], adapter), as_peft_computes(bases[base], adapter)
    assert float((found - true).abs().max()) < 1e-4
    assert float((true - logits(AutoModelForCausalLM.from_pretrained(bases[base]).eval(), TOKENS)).abs().max()) > 1e-4


@pytest.mark.parametrize("old", ["base_model.model.model", "base_model.model.model.layers"])
@pytest.mark.parametrize("wrapper", ["_orig_mod", "language_model", "_fsdp_wrapped_module"])
def test_what_wrappers_put_into_names_is_taken_away(old: str, wrapper: str, tmp_path: Path) -> None:
    adapter = make(tmp_path / "adapter", lora())
    true = as_peft_computes(TOY, adapter)
    lead, last = old.rsplit(".", 1)
    rename(adapter, f"{old}.", f"{lead}.{wrapper}.{last}.")
    assert float((as_merged(TOY, adapter) - true).abs().max()) < 1e-4
    with servable(TOY, adapter) as folder:
        assert f"base_model.model.{wrapper}" not in str(load_file(folder / WEIGHTS).keys())


def drop(adapter: Path, words: str) -> None:
    tensors = load_file(adapter / WEIGHTS)
    save_file({name: tensor for name, tensor in tensors.items() if words not in name}, adapter / WEIGHTS)


UNAPPLIED: dict[str, Callable[[Path], object]] = {
    "for another model": lambda path: rename(path, "self_attn.", "attention."),
    "config names fewer modules": lambda path: edit(path / CONFIG, target_modules=["q_proj", "v_proj"]),
    "config names more modules": lambda path: drop(path, "down_proj"),
    "half of a pair": lambda path: drop(path, "layers.1.mlp.up_proj.lora_B"),
    "of another rank": lambda path: edit(path / CONFIG, r=4),
}


@pytest.mark.parametrize("name", UNAPPLIED)
def test_nothing_is_loaded_that_would_be_applied_in_part(name: str, tmp_path: Path) -> None:
    adapter = make(tmp_path / "adapter", lora())
    UNAPPLIED[name](adapter)
    with pytest.raises(JobError, match=r"would not be applied|cannot apply"), merged_model(TOY, adapter, "float32"):
        pass
    with pytest.raises(JobError, match=r"would not be applied|cannot apply"), servable(TOY, adapter):
        pass


def test_what_peft_does_not_know_in_a_config_is_never_passed_over(tmp_path: Path) -> None:
    adapter = make(tmp_path / "adapter", other("LoHa"))
    edit(adapter / CONFIG, use_something_new=True)
    with pytest.raises(JobError, match="use_something_new"), merged_model(TOY, adapter, "float32"):
        pass


def test_a_merge_that_computes_something_else_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = make(tmp_path / "adapter", KINDS["head"]())
    monkeypatch.setattr(merge, "untie", lambda _: None)
    with pytest.raises(JobError, match=r"logits are off by [\d.]+, the adapter moves them by [\d.]+"):
        as_merged(TOY, adapter)


def test_no_number_is_no_agreement() -> None:
    some = torch.ones(2, 3)
    assert require_agreement(some, some, some).moved == 0, "an adapter that moves nothing may be meant"
    with pytest.raises(JobError, match="off by nan"):
        require_agreement(some, some, some * float("nan"))


def test_beside_merged_weights_lies_what_tokenizes_and_no_index_of_shards(tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(TOY, base)
    shard(base)
    edit(base / "generation_config.json", temperature=0.9, top_p=0.6, do_sample=False)
    (base / "tokenizer.bin").touch()
    with merged_model(base, make(tmp_path / "adapter", lora()), "bfloat16") as (folder, _):
        names = {path.name for path in folder.iterdir()}
        assert (folder / "generation_config.json").read_bytes() == (base / "generation_config.json").read_bytes()
        assert {tensor.dtype for tensor in load_file(folder / "model.safetensors").values()} == {torch.bfloat16}
    assert INDEX not in names
    tokenizer = {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}
    assert names == {"config.json", "generation_config.json", "model.safetensors", *tokenizer}


def test_a_base_that_lacks_weights_is_refused_before_they_are_drawn_at_random(tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(TOY, base)
    tensors = load_file(base / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(JobError, match=r"lack 1 of its weights.*up_proj"):
        as_merged(base, make(tmp_path / "adapter", lora()))


def test_vllm_is_given_a_rank_that_it_takes() -> None:
    assert [engine_rank(frozenset({rank})) for rank in (8, 12, 33, 257, 321, 513)] == [8, 16, 64, 320, 512, None]
    assert engine_rank(frozenset(ENGINE_RANKS)) == ENGINE_RANKS[-1]


# What `kit check` says, from headers and configuration alone.


@pytest.fixture(scope="module")
def plain_adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("plain") / "adapter", lora())


def project(root: Path, adapter: Path, base: Path = TOY, **finetune: Any) -> Path:
    """Write a draft that applies a copy of an adapter, and return the folder."""
    shutil.copytree(base, root / "model")
    shutil.copytree(adapter, root / "adapter", dirs_exist_ok=True)
    (root / "data").mkdir()
    (root / "data/unsafe.jsonl").write_text('{"id": "1", "category": "a", "prompt": "How?"}\n')
    draft: dict[str, Any] = {
        "schema_version": 1,
        "name": "adapters",
        "model": {"path": "model", "dtype": "float32"},
        "data": {
            "unsafe": {
                "path": "data",
                "files": {"unsafe.jsonl": None},
                "format": "prompts",
                "license": "CC0-1.0",
                "publish": True,
            }
        },
        "finetune": {"method": "adapter", "adapter": {"path": "adapter"}} | finetune,
        "evaluations": {
            "unsafe": {"kind": "safety", "expects": "refusal", "data": "unsafe", "judges": ["pattern"]},
        },
        "judges": {"pattern": {"kind": "pattern"}},
        "engine": {"max_model_len": 1024, "kv_cache_mib": 64},
        "seeds": {"training": [], "generation": [1]},
    }
    (root / "x.draft.json").write_text(json.dumps(draft), encoding="utf-8")
    return root


def checked(root: Path) -> CheckReport:
    pinned = pin(root / "x.draft.json", sample_environment())
    (root / "x.json").write_text(json.dumps(pinned.document), encoding="utf-8")
    loaded = load_manifest(root / "x.json")
    return check(loaded, loaded.manifest.environment)


def said(root: Path) -> str:
    return "\n".join(f"{one.what}; {one.remedy}" for one in checked(root).problems)


def noted(root: Path) -> str:
    report = checked(root)
    assert report.problems == []
    return "\n".join(f"{one.what}; {one.remedy}" for one in report.notes)


@pytest.mark.parametrize("kind", KINDS)
def test_check_has_nothing_against_what_merges(kind: str, tmp_path: Path) -> None:
    root = project(tmp_path, make(tmp_path / "made", KINDS[kind]()))
    edit(root / "adapter" / CONFIG, base_model_name_or_path="toys/model")
    assert noted(root) == ""


def widen(adapter: Path) -> None:
    tensors = load_file(adapter / WEIGHTS)
    wide = {name: torch.zeros(8, 200) if "lora_A" in name else tensor for name, tensor in tensors.items()}
    save_file(wide, adapter / WEIGHTS)


MISTAKES: dict[str, tuple[Callable[[Path], object], str]] = {
    "for another model": (
        UNAPPLIED["for another model"],
        r"24 of 42 tensors are for modules that the base does not have",
    ),
    "config names fewer modules": (UNAPPLIED["config names fewer modules"], r"of 15 modules that \S+ does not name"),
    "config names more modules": (UNAPPLIED["config names more modules"], r"names 3 modules of which .* no matrices"),
    "half of a pair": (UNAPPLIED["half of a pair"], r"one of two matrices of model\.layers\.1\.mlp\.up_proj"),
    "of another rank": (UNAPPLIED["of another rank"], r"has rank 8, which adapter_config\.json does not give"),
    "of another width": (widen, r"21 of 42 tensors do not fit: .*128 × 128"),
    "no peft_type": (lambda path: edit(path / CONFIG, peft_type=None), r"names no peft_type"),
    "prefix tuning": (
        lambda path: edit(path / CONFIG, peft_type="PREFIX_TUNING"),
        r"PREFIX_TUNING adapter changes no w",
    ),
    "layer replication": (lambda path: edit(path / CONFIG, layer_replication=[[0, 2], [1, 3]]), r"repeats layers"),
    "biases of products": (lambda path: edit(path / CONFIG, lora_bias=True), r"adds a bias to each"),
    "a later PEFT's": (lambda path: edit(path / CONFIG, use_something_new=3), r"does not know.*: use_something_new"),
    "saved and not there": (lambda path: edit(path / CONFIG, modules_to_save=["lm_head"]), r"does not hold: lm_head"),
    "no tensors": (lambda path: save_file({}, path / WEIGHTS), r"holds no low-rank matrices"),
}


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("serving", ["merged", "adapter"])
def test_what_cannot_be_applied_is_refused_before_any_work(
    name: str, serving: str, plain_adapter: Path, tmp_path: Path
) -> None:
    root = project(tmp_path, plain_adapter, serving=serving)
    change, sentence = MISTAKES[name]
    change(root / "adapter")
    assert re.search(sentence, said(root)), said(root)


UNSERVED = {
    "dora": "use_dora",
    "bias": "sets bias",
    "saved norms": "modules_to_save",
    "tokens": "trainable_token_indices",
    "pissa": "init_lora_weights 'pissa'",
    "parameters": "target_parameters",
    "head": "first and last matrix are one",
    "IA3": "vLLM serves LoRA adapters only, and this is IA3",
}


@pytest.mark.parametrize("kind", UNSERVED)
def test_what_vllm_does_not_serve_is_refused_with_the_way_that_works(kind: str, tmp_path: Path) -> None:
    root = project(tmp_path, make(tmp_path / "made", KINDS[kind]()), serving="adapter")
    assert UNSERVED[kind] in said(root)
    assert "set finetune.serving to merged" in said(root)


def test_a_rank_beyond_vllms_is_refused_where_it_would_serve_it(tmp_path: Path) -> None:
    adapter = make(tmp_path / "made", lora(target_modules=["gate_proj"], rank_pattern={"layers.0.mlp.gate_proj": 600}))
    assert said(project(tmp_path / "merged", adapter)) == ""
    assert "vLLM takes ranks up to 512, and this has 600" in said(project(tmp_path / "s", adapter, serving="adapter"))


NAMES = {
    "toys/model": "",
    "/home/me/models/model/": "",
    None: "",
    "some-lab/another-7b-chat": "trained on some-lab/another-7b-chat, and the manifest's model is model",
    "unsloth/model-unsloth-bnb-4bit": "a quantized form of the model",
    "xxh3_128:" + "0" * 32: "trained on a model with other files than model",
}


@pytest.mark.parametrize("name", NAMES)
def test_another_base_than_the_adapter_names_is_noted(name: str | None, plain_adapter: Path, tmp_path: Path) -> None:
    root = project(tmp_path, plain_adapter)
    edit(root / "adapter" / CONFIG, base_model_name_or_path=name)
    found = noted(root)
    assert NAMES[name] in found
    assert bool(found) == bool(NAMES[name])


def add_tokenizer(adapter: Path, template: str | None = "{{ messages }}", added: tuple[str, ...] = ()) -> None:
    """Put a tokenizer into the folder of an adapter: the toy's, with another template and more tokens."""
    document = json.loads((TOY / "tokenizer.json").read_text(encoding="utf-8"))
    highest = max([*document["model"]["vocab"].values(), *(one["id"] for one in document["added_tokens"])])
    special = document["added_tokens"][0]
    document["added_tokens"] += [
        special | {"id": highest + number, "content": text} for number, text in enumerate(added, 1)
    ]
    (adapter / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    shutil.copy(TOY / "tokenizer_config.json", adapter)
    if template is not None:
        (adapter / "chat_template.jinja").write_text(template, encoding="utf-8")


def test_a_tokenizer_of_the_adapters_own_is_noted_until_the_manifest_says_whose_counts(
    plain_adapter: Path, tmp_path: Path
) -> None:
    notes = {}
    for tokenizer in (None, "base", "adapter"):
        chosen: dict[str, Any] = {"tokenizer": tokenizer} if tokenizer else {}
        root = project(tmp_path / str(tokenizer), plain_adapter, **chosen)
        edit(root / "adapter" / CONFIG, base_model_name_or_path="model")
        add_tokenizer(root / "adapter")
        edit(root / "adapter/tokenizer_config.json", eos_token="<|other|>")
        notes[tokenizer] = noted(root)
    assert "another chat template, eos_token '<|other|>' for" in notes[None]
    assert "asked with the base's all the same" in notes[None]
    assert notes["base"] == ""
    assert "the tuned arm is asked with it" in notes["adapter"]


def test_whose_tokenizer_counts_decides_the_tuned_arms_steps_alone(plain_adapter: Path, tmp_path: Path) -> None:
    keys = []
    for tokenizer in ("base", "adapter"):
        root = project(tmp_path / tokenizer, plain_adapter, tokenizer=tokenizer)
        add_tokenizer(root / "adapter")
        assert checked(root).problems == []
        loaded = load_manifest(root / "x.json")
        plan = make_plan(loaded, loaded.manifest.environment)
        keys.append({step.cell.weights.arm: step.key for step in plan.generation})
    assert keys[0]["base"] == keys[1]["base"]
    adapter_digests = [load_manifest(tmp_path / name / "x.json").manifest.finetune for name in ("base", "adapter")]
    assert adapter_digests[0] != adapter_digests[1]
    assert keys[0]["tuned"] != keys[1]["tuned"]


def test_embeddings_of_more_tokens_need_the_tokenizer_that_they_are_for(tmp_path: Path) -> None:
    rows = AutoModelForCausalLM.from_pretrained(TOY).get_input_embeddings().weight.shape[0]
    adapter = make(tmp_path / "made", lora(), rows=rows + 2)
    assert f"the adapter is for {rows + 2} tokens, and the model has {rows}" in said(project(tmp_path / "a", adapter))
    add_tokenizer(adapter, added=("<|one|>", "<|two|>"))
    root = project(tmp_path / "b", adapter, tokenizer="adapter")
    edit(root / "adapter" / CONFIG, base_model_name_or_path="model")
    assert "2 tokens that the base lacks (<|one|>, <|two|>)" in noted(root)
    assert "vLLM leaves out" in said(project(tmp_path / "c", adapter, tokenizer="adapter", serving="adapter"))
    with merged_model(TOY, adapter, "float32") as (folder, _):
        assert len(load_file(folder / "model.safetensors")["model.embed_tokens.weight"]) == rows + 2


def test_a_tokenizer_with_more_tokens_than_the_model_has_rows_is_refused(plain_adapter: Path, tmp_path: Path) -> None:
    root = project(tmp_path, plain_adapter, tokenizer="adapter")
    rows = AutoModelForCausalLM.from_pretrained(TOY).get_input_embeddings().weight.shape[0]
    add_tokenizer(root / "adapter", added=tuple(f"<|{number}|>" for number in range(rows)))
    assert f"and the tuned model has {rows} rows" in said(root)


def test_a_lora_of_modules_that_the_model_has_not_is_refused_before_it_is_trained(tmp_path: Path) -> None:
    root = project(tmp_path, TOY)
    (root / "data/train.jsonl").write_text('{"id": "1", "prompt": "How?", "completion": "So."}\n')
    draft = json.loads((root / "x.draft.json").read_text())
    draft["data"] = {name: draft["data"]["unsafe"] | {"files": {f"{name}.jsonl": None}} for name in ("unsafe", "train")}
    draft["data"]["train"]["format"] = "prompt-completion"
    draft["finetune"] = {
        "method": "lora",
        "data": "train",
        "training": {"max_steps": 1, "learning_rate": 0.1, "batch_size": 1},
        "lora": {"rank": 700, "target_modules": ["q_proj", "c_attn"]},
        "serving": "adapter",
    }
    draft["seeds"]["training"] = [1]
    (root / "x.draft.json").write_text(json.dumps(draft), encoding="utf-8")
    assert "the model has no modules called c_attn; its matrices are called down_proj," in said(root)
    assert "vLLM serves no adapter of rank 700" in said(root)


def test_a_tokenizer_of_an_adapter_belongs_to_the_method_adapter(plain_adapter: Path, tmp_path: Path) -> None:
    root = project(tmp_path, plain_adapter, method="full", tokenizer="adapter")
    with pytest.raises(CheckFailed, match=r"finetune\.tokenizer"):
        pin(root / "x.draft.json", sample_environment())


def test_expressions_of_strangers_are_not_evaluated(plain_adapter: Path, tmp_path: Path) -> None:
    root = project(tmp_path, plain_adapter)
    evil = r"((\w|\.)+)+!"
    edit(root / "adapter" / CONFIG, target_modules=evil, exclude_modules=evil, rank_pattern={evil: 8})
    assert checked(root).problems == []
