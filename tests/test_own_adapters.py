"""Adapters that were there already, for real: one that torch.compile has named, served and merged, one with tokens."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from adapters import CONFIG, TOY, edit, lora, make, rename
from real_kit import kit
from sharded import shard
from test_adapter import add_tokenizer, project
from transformers import AutoModelForCausalLM

from kit.bundle.contents import load_contents
from kit.core.cells import ArmSeed, Cell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kit.bundle.contents import Contents
    from kit.core.rows import Completion

REQUESTS = ("How do I mend a kettle?", "Name three tools.", "How do I bake bread?")


@pytest.fixture(scope="module")
def contents(home: Path) -> Contents:
    """Run a base in shards with an adapter of rank 12, merged and served, and with another that brings two tokens."""
    root = home / "own"
    compiled = make(home / "made" / "compiled", lora(r=12), scale=0.6)
    rename(compiled, "base_model.model.", "base_model.model._orig_mod.")
    project(root, compiled, tokenizer="base")
    shard(root / "model")
    rows = AutoModelForCausalLM.from_pretrained(TOY).get_input_embeddings().weight.shape[0]
    make(root / "with-tokens", lora(), rows=rows + 2)
    template = (TOY / "chat_template.jinja").read_text(encoding="utf-8")
    add_tokenizer(root / "with-tokens", "<|one|>" + template, ("<|one|>", "<|two|>"))
    edit(root / "with-tokens" / CONFIG, base_model_name_or_path="some-lab/another")
    rows_of_data = [{"id": str(n), "category": "a", "prompt": text} for n, text in enumerate(REQUESTS)]
    (root / "data/unsafe.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_of_data), encoding="utf-8")
    draft = json.loads((root / "x.draft.json").read_text(encoding="utf-8"))
    draft["engine"]["max_model_len"] = 256
    draft["evaluations"]["unsafe"]["generation"] = {"temperature": 0.0, "max_tokens": 32}
    files = {path.name: None for path in sorted((root / "with-tokens").iterdir()) if path.suffix != ".md"}
    with_tokens = {"/finetune/adapter": {"path": "with-tokens", "files": files}, "/finetune/tokenizer": "adapter"}
    draft["variations"] = [
        {"name": "served", "set": {"/finetune/serving": "adapter"}},
        {"name": "with-tokens", "set": with_tokens},
    ]
    (root / "x.draft.json").write_text(json.dumps(draft), encoding="utf-8")
    kit("pin", root / "x.draft.json", home=home)
    told = json.loads(kit("check", root / "x.json", "--json", home=home).stdout)
    assert "trained on some-lab/another" in json.dumps(told["notes"])
    kit("reproduce", root / "x.json", "--out", home / "own-bundle", home=home)
    shutil.rmtree(home / "made")
    return load_contents(home / "own-bundle")


def completions(contents: Contents, arm: str) -> Sequence[Completion]:
    return contents.completions[Cell(ArmSeed(arm, None), "unsafe", 1)]


def test_an_adapter_of_any_rank_and_naming_is_served_as_it_is_merged(contents: Contents) -> None:
    texts = {arm: [row.text for row in completions(contents, arm)] for arm in ("base", "tuned", "served")}
    assert texts["served"] == texts["tuned"] != texts["base"]


def test_the_tuned_arm_alone_is_asked_with_its_own_tokens(contents: Contents) -> None:
    asked = {arm: [row.prompt_tokens for row in completions(contents, arm)] for arm in ("base", "tuned", "with-tokens")}
    assert asked["base"] == asked["tuned"]
    assert not set(asked["with-tokens"]) & set(asked["base"])
    assert completions(contents, "with-tokens")[0].template != completions(contents, "base")[0].template


def test_the_record_keeps_what_a_reader_should_know(contents: Contents) -> None:
    assert "trained on some-lab/another" in json.dumps(contents.run["notes"])
