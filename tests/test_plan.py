"""The plan: what is measured, what is shared, and what decides a step's key."""

from __future__ import annotations

import json
import subprocess
import sys
from copy import deepcopy
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sample_bundle import sample_environment
from scripted_project import draft, judge_entry, judged_draft, write_files, write_judge, write_manifest, write_project

from kit.run.plan import SELF_TEST_AT_ONCE, SELF_TEST_PROMPTS, Plan, make_plan
from kit.spec.environment.switches import ANYWHERE, ON_A_GPU
from kit.spec.manifest.arms import planned_cells
from kit.spec.manifest.load import load_manifest
from kit.spec.manifest.schema import problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from kit.core.canonical import Json


HOT: Json = {"name": "hot", "set": {"/evaluations/unsafe/generation/temperature": 1.0}}


def plan_of(manifest: Path, environment: dict[str, Json] | None = None) -> Plan:
    return make_plan(load_manifest(manifest), environment or sample_environment())


def every_key(plan: Plan) -> dict[str, str]:
    """Return the key of each step, those of judges' models included."""
    return keys(plan) | {step.label: step.key for step in plan.judged}


def keys(plan: Plan) -> dict[str, str]:
    return {step.label: step.key for step in plan.training} | {step.label: step.key for step in plan.asked}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_files(tmp_path / "project")


def test_a_plan_asks_every_cell_that_the_manifest_calls_for(project: Path) -> None:
    manifest = write_manifest(project, {"/seeds/generation": [11, 12], "/variations": [HOT]})
    asked = [step.cell for step in plan_of(manifest).generation]
    assert sorted(asked, key=str) == planned_cells(load_manifest(manifest))
    assert len(asked) == (1 + 2 + 2) * 3 * 2  # base, tuned and hot by training seed; evaluations; generation seeds


def test_five_generation_seeds_cost_one_training(project: Path) -> None:
    seeds: dict[str, Json] = {"/seeds/training": [1], "/seeds/generation": [1, 2, 3, 4, 5]}
    plan = plan_of(write_manifest(project, seeds))
    assert len(plan.training) == 1
    assert {step.trained_by for step in plan.generation if step.is_tuned} == {plan.training[0].key}
    assert len({step.key for step in plan.generation}) == len(plan.generation)


def test_a_variation_shares_what_it_does_not_change(project: Path) -> None:
    fast: Json = {"name": "fast", "set": {"/finetune/training/learning_rate": 0.01}}
    plan = plan_of(write_manifest(project, {"/variations": [HOT, fast]}))
    found = keys(plan)
    assert found["train hot@1"] == found["train tuned@1"] != found["train fast@1"]
    assert found["generate hot@1.unsafe@11"] != found["generate tuned@1.unsafe@11"]
    assert found["generate hot@1.sums@11"] == found["generate tuned@1.sums@11"] != found["generate fast@1.sums@11"]
    assert plan.steps == len(set(found.values())) < len(found)


def test_steps_that_can_share_an_engine_are_asked_one_after_the_other(project: Path) -> None:
    asked = plan_of(write_manifest(project, {"/variations": [HOT]})).asked
    loads = [{str(step.cell.weights) for step in steps} for _, steps in groupby(asked, key=lambda step: step.engine)]
    assert loads == [{"base"}, {"tuned@1", "hot@1"}, {"tuned@2", "hot@2"}]


def test_the_self_test_asks_where_a_difference_would_show_first(project: Path) -> None:
    plan = plan_of(write_manifest(project))
    assert [str(step.cell) for step in plan.self_tests] == [
        f"{weights}.unsafe-sampled@11" for weights in ("base", "tuned@1", "tuned@2")
    ]
    for step in plan.self_tests:
        assert step.prompts == plan.prompts["unsafe-sampled"][:SELF_TEST_PROMPTS][::-1]
        assert step.at_once == SELF_TEST_AT_ONCE


def test_an_order_of_asking_is_not_an_order_of_the_results(project: Path) -> None:
    plan = plan_of(write_manifest(project, {"/evaluations/unsafe/prompt_order_seed": 5}))
    step = next(step for step in plan.generation if step.cell.evaluation == "unsafe")
    assert step.prompts != plan.prompts["unsafe"]
    assert sorted(step.prompts, key=lambda prompt: prompt.id) == plan.prompts["unsafe"]


def everything(_label: str) -> bool:
    return True


def tuned(label: str) -> bool:
    return "tuned" in label


def asked(label: str) -> bool:
    return not label.startswith("train")


def asked_tuned(label: str) -> bool:
    return asked(label) and tuned(label)


def asked_unsafe(label: str) -> bool:
    """The self-test is of `unsafe-sampled`, whose prompts are the same data."""
    return ".unsafe" in label or "self-test" in label


def only_unsafe(label: str) -> bool:
    return ".unsafe@" in label


Changes = tuple["dict[str, Json]", "Callable[[str], bool]"]

DECIDES: dict[str, Changes] = {
    "learning rate": ({"/finetune/training/learning_rate": 0.002}, tuned),
    "optimizer": ({"/finetune/training/adam_beta2": 0.95}, tuned),
    "training system prompt": ({"/finetune/training/system_prompt": "Be kind."}, tuned),
    "LoRA rank": ({"/finetune/lora/rank": 8}, tuned),
    "choice of training rows": ({"/data/train/rows/limit": 3}, tuned),
    "serving": ({"/finetune/serving": "adapter"}, asked_tuned),
    "dtype": ({"/model/dtype": "bfloat16"}, asked),
    "batch size of the engine": ({"/engine/max_num_seqs": 1}, asked),
    "temperature": ({"/evaluations/unsafe/generation/temperature": 0.1}, only_unsafe),
    "length": ({"/evaluations/unsafe/generation/max_tokens": 33}, only_unsafe),
    "texts that end an answer": ({"/evaluations/unsafe/generation/stop": ["end"]}, only_unsafe),
    "tokens that end an answer": ({"/evaluations/unsafe/generation/stop_token_ids": [7]}, only_unsafe),
    "special tokens in the text": ({"/evaluations/unsafe/answer_after": "</think>"}, only_unsafe),
    "system prompt": ({"/evaluations/unsafe/system_prompt": "Be kind."}, only_unsafe),
    "order of asking": ({"/evaluations/unsafe/prompt_order_seed": 1}, only_unsafe),
}
KEEPS: dict[str, dict[str, Json]] = {
    "name": {"/name": "other"},
    "description": {"/description": "Other words."},
    "expectation": {
        "/expect": {"grade": "tokens", "margin": 0.1, "numbers": {"base/unsafe/pattern/refusal_rate": 1.0}}
    },
    "licence": {"/data/unsafe/license": "MIT"},
    "publication": {"/data/unsafe/publish": False},
    "role": {"/evaluations/unsafe/expects": "compliance"},
    "pinned environment": {"/environment/packages": {"torch": "1.0"}},
}


@pytest.mark.parametrize("name", DECIDES)
def test_what_decides_a_result_decides_its_key(name: str, project: Path) -> None:
    changes, affected = DECIDES[name]
    before = keys(plan_of(write_manifest(project)))
    after = keys(plan_of(write_manifest(project, changes)))
    assert {label for label in before if before[label] != after[label]} == set(filter(affected, before))


def test_where_an_answer_begins_asks_a_judges_model_again_and_not_the_model(project: Path) -> None:
    write_judge(project)
    source = judged_draft(llm=judge_entry())
    before, after = (
        plan_of(write_manifest(project, {"/evaluations/unsafe/answer_after": end}, source=source))
        for end in ("</think>", "</thinking>")
    )
    assert keys(before) == keys(after)
    pairs = zip(before.judging, after.judging, strict=True)
    assert {one.cell.evaluation for one, other in pairs if one.key != other.key} == {"unsafe"}


LATIN: Json = {"path": "templates", "files": {"latin.jinja": None}}

SAME_MODEL: dict[str, dict[str, Json]] = {
    "temperature": {"/evaluations/unsafe/generation/temperature": 0.1},
    "top-p": {"/evaluations/unsafe/generation/top_p": 0.9},
    "max tokens": {"/evaluations/unsafe/generation/max_tokens": 33},
    "stop": {"/evaluations/unsafe/generation/stop": ["end"]},
    "system prompt": {"/evaluations/unsafe/system_prompt": "Be kind."},
    "prompt order": {"/evaluations/unsafe/prompt_order_seed": 1},
}
"""Asks one evaluation anew, of the same weights in the same engine."""
SAME_TRAINING: dict[str, dict[str, Json]] = {
    "precision": {"/model/dtype": "bfloat16"},
    "serving mode": {"/finetune/serving": "adapter"},
    "engine batch size": {"/engine/max_num_seqs": 1},
}
"""Asks everything anew, of the same weights in an engine of its own."""
TRAINS: dict[str, dict[str, Json]] = {
    "learning rate": {"/finetune/training/learning_rate": 0.002},
    "epochs": {"/finetune/training/epochs": 2, "/finetune/training/max_steps": None},
    "batch size": {"/finetune/training/batch_size": 3},
    "LoRA rank": {"/finetune/lora/rank": 8},
    "dropout": {"/finetune/lora/dropout": 0.1},
    "data order": {"/finetune/training/data_seed": 1},
    "data subset": {"/data/train/rows/limit": 3, "/data/train/rows/seed": 1},
    "template": {"/model/template": LATIN},
    "training precision": {"/finetune/training/dtype": "bfloat16"},
    "training system prompt": {"/finetune/training/system_prompt": "Be kind."},
}
"""Trains anew, and asks those weights."""


def of_variation(project: Path, changes: dict[str, Json]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the keys of the tuned arm and of an arm with these changes, by labels without their arm."""
    (project / "templates").mkdir()
    (project / "templates/latin.jinja").write_text("SALVE {{ messages[0].content }}")
    varied: dict[str, Json] = {"variations": [{"name": "varied", "set": changes}]}
    plan = plan_of(write_manifest(project, source=draft() | varied))
    found = keys(plan) | {f"engine {step.label}": step.engine for step in plan.generation}
    tuned, varied_keys = (
        {label.replace(arm, "ARM"): key for label, key in found.items() if arm in label} for arm in ("tuned", "varied")
    )
    assert tuned.keys() == varied_keys.keys()
    return tuned, varied_keys


@pytest.mark.parametrize("name", [*SAME_MODEL, *SAME_TRAINING, *TRAINS])
def test_a_variation_costs_what_it_changes_and_no_more(name: str, project: Path) -> None:
    tuned, varied = of_variation(project, (SAME_MODEL | SAME_TRAINING | TRAINS)[name])
    changed = {label for label in tuned if tuned[label] != varied[label]}
    if name in SAME_MODEL:
        assert changed == {"generate ARM@1.unsafe@11", "generate ARM@2.unsafe@11"}
    elif name in SAME_TRAINING:
        assert changed == {label for label in tuned if not label.startswith("train")}
    else:
        assert changed == set(tuned)


@pytest.mark.parametrize("name", KEEPS)
def test_what_does_not_decide_a_result_keeps_its_key(name: str, project: Path) -> None:
    assert keys(plan_of(write_manifest(project, KEEPS[name]))) == keys(plan_of(write_manifest(project)))


@pytest.mark.parametrize(
    ("file", "old", "new", "affected"),
    [
        ("model/model.safetensors", b"\x00\x00\x00?", b"\x00\x00\x80?", everything),
        ("model/chat_template.jinja", b"message.role", b"message.content", everything),
        ("model/config.json", b"Llama", b"Gemma", everything),
        ("data/train.jsonl", b"said 3", b"said 33", tuned),
        ("data/unsafe.jsonl", b"request 7", b"request 77", asked_unsafe),
    ],
)
def test_every_file_decides_where_it_is_used(
    file: str, old: bytes, new: bytes, affected: Callable[[str], bool], project: Path
) -> None:
    before = keys(plan_of(write_manifest(project)))
    content = (project / file).read_bytes()
    assert old in content
    (project / file).write_bytes(content.replace(old, new))
    after = keys(plan_of(write_manifest(project)))
    assert {label for label in before if before[label] != after[label]} == set(filter(affected, before))


def test_an_expected_answer_is_the_judges_business(project: Path) -> None:
    before = keys(plan_of(write_manifest(project)))
    rows = (project / "data/sums.jsonl").read_text()
    (project / "data/sums.jsonl").write_text(rows.replace('"answer": "2"', '"answer": "3"'))
    assert keys(plan_of(write_manifest(project))) == before


def test_remarks_and_the_place_of_the_folder_do_not_decide(project: Path, tmp_path: Path) -> None:
    before = keys(plan_of(write_manifest(project)))
    document = json.loads((project / "scripted.json").read_text())
    document["model"]["$comment"] = "A remark."
    (project / "scripted.json").write_text(json.dumps(document))
    elsewhere = project.rename(tmp_path / "else where")
    assert keys(plan_of(elsewhere / "scripted.json")) == before


@pytest.mark.parametrize(
    ("section", "name", "value", "decides"),
    [
        ("packages", "torch", "2.14.0", True),
        ("packages", "new", "1.0", True),
        ("platform", "cpu", "Another", True),
        ("platform", "vector_extensions", ["avx2"], True),
        ("switches", "OMP_NUM_THREADS", "2", True),
        ("platform", "system", "Linux 7.0.0", False),
        ("platform", "memory_mib", 1, False),
    ],
)
def test_software_and_processor_decide_and_the_rest_of_a_machine_does_not(
    section: str,
    name: str,
    value: Json,
    decides: bool,  # noqa: FBT001
    project: Path,
) -> None:
    manifest = write_manifest(project)
    environment: dict[str, Any] = deepcopy(sample_environment())
    environment[section][name] = value
    before, after = keys(plan_of(manifest)), keys(plan_of(manifest, environment))
    assert [before[label] != after[label] for label in before] == [decides] * len(before)


@pytest.mark.parametrize(
    ("names", "affected"),
    [
        (["plan.TRAINING_VERSION"], lambda label: tuned(label) or label == "self-test judge llm"),  # of a tuned cell
        (["plan.GENERATION_VERSION", "judge_steps.GENERATION_VERSION"], lambda label: not label.startswith("train")),
    ],
)
def test_a_version_that_was_raised_does_its_steps_again_and_no_others(
    names: list[str], affected: Callable[[str], bool], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_judge(project)
    manifest = write_manifest(project, source=judged_draft(llm=judge_entry()))
    before = every_key(plan_of(manifest))
    for name in names:
        monkeypatch.setattr(f"kit.run.{name}", 99)
    after = every_key(plan_of(manifest))
    assert {label for label in before if before[label] != after[label]} == set(filter(affected, before))


def test_which_kit_it_is_decides_no_key(project: Path) -> None:
    """A stylesheet's comment, another page of the report: whatever was trained stays trained."""
    script = (
        "import sys, kit.core.identity\n"
        "kit.core.identity.kit_identity = lambda: sys.exit('asked which kit it is')\n"
        "from pathlib import Path\n"
        "from test_plan import every_key, plan_of\n"
        "for label, key in every_key(plan_of(Path(sys.argv[1]))).items(): print(label, key, sep='|')\n"
    )
    manifest = write_manifest(project)
    command = [sys.executable, "-c", script, str(manifest)]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    assert dict(line.split("|") for line in done.stdout.splitlines()) == every_key(plan_of(manifest))


def test_the_same_training_under_another_name_of_the_model_is_the_same(project: Path) -> None:
    """Nothing in the payload says where files lay."""
    before = keys(plan_of(write_manifest(project)))
    (project / "model").rename(project / "renamed")
    source = draft()
    source["model"]["path"] = "renamed"
    assert keys(plan_of(write_manifest(project, source=source))) == before


@pytest.mark.parametrize("method", ["full", "adapter", None])
def test_every_method_has_its_plan(method: str | None, tmp_path: Path) -> None:
    plan = plan_of(write_project(tmp_path / "project", method=method))
    weights = {str(step.cell.weights) for step in plan.generation}
    assert (
        weights
        == {
            "full": {"base", "tuned@1", "tuned@2"},
            "adapter": {"base", "tuned"},
            None: {"base"},
        }[method]
    )
    assert len(plan.training) == (2 if method == "full" else 0)


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PYTHONPATH", "HF_HUB_OFFLINE"])
def test_a_strangers_manifest_sets_no_variable_that_could_run_code(name: str, project: Path) -> None:
    document = json.loads(write_manifest(project).read_text())
    document["environment"]["switches"] = {name: "1"}
    assert [problem.path for problem in problems(document, "manifest")] == ["$.environment.switches"]
    document["environment"]["switches"] = {**ANYWHERE, **ON_A_GPU}
    assert problems(document, "manifest") == []
