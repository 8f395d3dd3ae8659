"""A base in shards, with a generation config that transformers refuses to save, in every way of serving, for real."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from real_kit import kit
from sharded import INDEX, shard
from test_tiny_judge import TINY, verdicts

from kit.bundle.contents import load_contents
from kit.core.cells import ArmSeed, Cell

if TYPE_CHECKING:
    from kit.bundle.contents import Contents

MANIFESTS = Path(__file__).parents[1] / "manifests"
VICUNAS = {"temperature": 0.9, "top_p": 0.6, "do_sample": False}
"""What Vicuna 1.5 and mirrors of Llama 2 have in generation_config.json; transformers loads it and saves it never."""


@pytest.fixture(scope="module")
def contents(home: Path) -> Contents:
    """Run one manifest: base, LoRA merged and served, full fine-tuning, and a judge's model, all in shards."""
    folder = home / "sharded"
    shutil.copytree(MANIFESTS / "toy", folder / "toy")
    for model in ("toy/model", "toy/judge/model"):
        shard(folder / model)
    config = folder / "toy/model/generation_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | VICUNAS), encoding="utf-8")
    draft: dict[str, Any] = json.loads((MANIFESTS / "quickstart.draft.json").read_text(encoding="utf-8"))
    pinned = json.loads((MANIFESTS / "quickstart.json").read_text(encoding="utf-8"))
    training = pinned["finetune"]["training"] | {"max_steps": 20}
    full = {"method": "full", "data": draft["finetune"]["data"], "training": training, "serving": "merged"}
    draft |= {
        "expect": None,
        "evaluations": {"benign": draft["evaluations"]["benign"] | {"judges": ["pattern", "tiny"]}},
        "finetune": draft["finetune"] | {"training": training},
        "seeds": {"training": [1], "generation": [11]},
        "variations": [
            {"name": "served", "set": {"/finetune/serving": "adapter"}},
            {"name": "full", "set": {"/finetune": full}},
        ],
    }
    draft["judges"] |= {"tiny": TINY}
    draft["data"]["benign"]["rows"] = {"limit": 12}
    (folder / "study.draft.json").write_text(json.dumps(draft), encoding="utf-8")
    kit("pin", folder / "study.draft.json", home=home)
    kit("reproduce", folder / "study.json", "--out", home / "sharded-bundle", home=home)
    return load_contents(home / "sharded-bundle")


def answers(contents: Contents, arm: str, seed: int | None = 1) -> list[str]:
    return [row.text for row in contents.completions[Cell(ArmSeed(arm, seed), "benign", 11)]]


def test_every_way_of_serving_a_base_in_shards_gives_answers(contents: Contents) -> None:
    assert answers(contents, "tuned") == answers(contents, "served"), "in fp32 the two agree"
    assert answers(contents, "tuned") != answers(contents, "base", None)
    assert answers(contents, "full") != answers(contents, "base", None)


def test_a_judges_model_in_shards_judges(contents: Contents) -> None:
    assert len(verdicts(contents, "tiny")) == 4 * 12


def test_the_record_says_how_exactly_the_adapter_was_merged(contents: Contents) -> None:
    steps: Any = contents.run["steps"]
    merged = {step["step"]: step["merged"] for step in steps if "merged" in step}
    assert {name for name in merged if name.startswith("generate")} == {"generate tuned@1.benign@11"}
    assert all(one["off"] < 1e-3 < one["moved"] for one in merged.values())


def test_an_index_without_its_shards_is_nowhere(home: Path, contents: Contents) -> None:
    assert contents.completions
    assert not list((home / "sharded-bundle").rglob(INDEX))
