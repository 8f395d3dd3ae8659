"""The rehearsal: what would fail late fails at once, and nothing of it reaches a result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from real_kit import kit as real_kit
from scripted_project import (
    judge_entry,
    judged_draft,
    kit,
    payload,
    write_files,
    write_judge,
    write_manifest,
    write_project,
)
from test_prompt_preview import NO_TURN, project

from kit.bundle import layout
from kit.core.canonical import read_json

if TYPE_CHECKING:
    from pathlib import Path

    from kit.core.canonical import Json

VARIATIONS: Json = [
    {"name": "faster", "set": {"/finetune/training/learning_rate": 0.02}},
    {"name": "wider", "set": {"/finetune/lora/rank": 16}},
    {"name": "served", "set": {"/finetune/serving": "adapter"}},
]
HUGE: Json = [{"name": "big", "set": {"/finetune/lora/rank": 10**8}}]


def record(bundle: Path) -> dict[str, Any]:
    document = read_json(bundle / layout.RUN)
    assert isinstance(document, dict)
    return document


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a manifest whose judge asks a model, with a rehearsal."""
    home = tmp_path_factory.mktemp("rehearsed")
    folder = write_judge(write_files(home / "project"))
    source = judged_draft(llm=judge_entry()) | {"variations": VARIATIONS}
    manifest = write_manifest(folder, source=source)
    result = kit("reproduce", manifest, "--rehearsal", "--out", home / "out", home=home)
    assert result.returncode == 0, result.stderr
    (home / "said").write_text(result.stderr)
    return home


def test_one_step_of_each_kind_of_arm_is_done_first(rehearsed: Path) -> None:
    said = (rehearsed / "said").read_text()
    before, _, _ = said.partition("[1/")
    assert "rehearsing" in before
    done = [line.strip().partition(":")[0] for line in said.splitlines() if line.strip().startswith("rehearse ")]
    trained = [line for line in done if line.startswith("rehearse train")]
    assert trained == ["rehearse train tuned@1", "rehearse train wider@1"], "another learning rate is no other way"
    assert any(line.startswith("rehearse generate served@1") for line in done)
    assert any(line.startswith("rehearse judge") for line in done)
    assert said.index("rehearse judge") < said.index("train tuned@1:", said.index("rehearse judge"))


def test_the_record_says_what_was_rehearsed_and_what_was_not(rehearsed: Path) -> None:
    found = record(rehearsed / "out")["rehearsal"]
    assert found.pop("seconds") > 0
    assert found == {"done": True, "arms": ["base", "tuned", "wider", "served"]}
    assert not [one for one in record(rehearsed / "out")["steps"] if "rehearse" in one["step"]]


def test_a_rehearsal_moves_no_result(rehearsed: Path, tmp_path: Path) -> None:
    manifest = rehearsed / "project/scripted.json"
    result = kit("reproduce", manifest, "--out", tmp_path / "out", home=rehearsed)
    assert result.returncode == 0, result.stderr
    assert payload(tmp_path / "out") == payload(rehearsed / "out")
    assert record(tmp_path / "out")["rehearsal"] == {"done": False}


def test_what_is_done_already_is_not_rehearsed(tmp_path: Path) -> None:
    manifest, store = write_project(tmp_path / "project"), tmp_path / "store"
    kit("reproduce", manifest, "--store", store, "--out", tmp_path / "first", home=tmp_path)
    again = kit("reproduce", manifest, "--rehearsal", "--store", store, "--out", tmp_path / "again", home=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "rehears" not in again.stderr
    assert record(tmp_path / "again")["rehearsal"]["arms"] == []


def test_what_does_not_fit_into_memory_stops_before_anything_is_paid_for(tmp_path: Path) -> None:
    manifest = write_project(tmp_path / "project", {"/variations": HUGE})
    result = kit("reproduce", manifest, "--rehearsal", "--out", tmp_path / "out", home=tmp_path)
    assert result.returncode == 2
    assert "rehearse train big@1: ran out of memory" in result.stderr
    assert "--no-rehearsal" in result.stderr
    assert "[1/15]" not in result.stderr


def test_checking_can_rehearse_and_leaves_it_to_the_run(tmp_path: Path) -> None:
    manifest, store = write_project(tmp_path / "project"), tmp_path / "store"
    checked = kit("check", manifest, "--rehearse", "--store", store, "--json", home=tmp_path)
    assert json.loads(checked.stdout)["rehearsal"]["arms"] == ["base", "tuned"]
    ran = kit("reproduce", manifest, "--rehearsal", "--store", store, "--out", tmp_path / "out", home=tmp_path)
    assert ran.stderr.count("done before") >= 3, ran.stderr


def test_a_prompt_that_no_model_would_answer_stops_a_run_of_the_real_parts(tmp_path: Path) -> None:
    manifest = project(tmp_path, template=NO_TURN)
    said = real_kit("reproduce", manifest, "--out", tmp_path / "out", home=tmp_path, code=1).stderr
    assert f"{manifest}::$.evaluations.unsafe: the template has no generation prompt" in said
    assert "--show-prompt` shows what the model sees" in said
    assert "train" not in said
