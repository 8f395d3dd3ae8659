"""What a run will cost, told before it starts, is what it then costs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sample_bundle import sample_environment
from scripted_project import kit, run_scripted, write_project

from kit.run.plan import make_plan
from kit.run.preflight.forecast import Forecast, forecast
from kit.run.store import Store
from kit.spec.manifest.load import load_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from kit.core.canonical import Json

HOT: Json = {"name": "hot", "set": {"/evaluations/unsafe/generation/temperature": 1.0}}
FAST: Json = {"name": "fast", "set": {"/finetune/training/learning_rate": 0.01}}
SERVED: Json = {"name": "served", "set": {"/finetune/serving": "adapter"}}
HALF: Json = {"name": "half", "set": {"/model/dtype": "bfloat16"}}
STUDIES: dict[str, dict[str, Json]] = {
    "plain": {},
    "five measurements": {"/seeds/training": [1], "/seeds/generation": [1, 2, 3, 4, 5]},
    "variations": {"/variations": [HOT, FAST, SERVED, HALF]},
}


def forecast_of(manifest: Path, store: Path) -> Forecast:
    return forecast(make_plan(load_manifest(manifest), sample_environment()), Store(store))


def record(bundle: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((bundle / "record/run.json").read_text())
    return document


def labels(bundle: Path, *, reused: bool) -> list[str]:
    """Return the first word of each step that was run, or reused."""
    return [step["step"].partition(" ")[0] for step in record(bundle)["steps"] if step["reused"] is reused]


@pytest.mark.parametrize("study", STUDIES)
def test_what_is_foretold_is_what_is_done(study: str, tmp_path: Path) -> None:
    manifest = write_project(tmp_path / "project", STUDIES[study])
    told = forecast_of(manifest, tmp_path / "store")
    run_scripted(manifest, tmp_path / "out", tmp_path / "store")
    run = labels(tmp_path / "out", reused=False)
    assert (told.trainings, told.generations, told.self_tests) == tuple(
        map(run.count, ("train", "generate", "self-test"))
    )
    assert told.steps == len(run)
    assert told.engine_loads == record(tmp_path / "out")["engine_loads"]
    log = (tmp_path / "out/record/logs/generation.log").read_text()
    assert log.count("kit: engine load") == told.engine_loads
    after = forecast_of(manifest, tmp_path / "store")
    assert (after.reused, after.trainings, after.generations, after.engine_loads) == (told.steps, 0, 0, 0)
    assert (after.training_seconds, after.generation_seconds) == (0, 0)


def test_two_temperatures_and_five_seeds_cost_one_training_and_one_load_of_its_weights(tmp_path: Path) -> None:
    """As two evaluations (the project has both temperatures), and once more as a variation."""
    seeds: dict[str, Json] = {"/seeds/training": [1], "/seeds/generation": [1, 2, 3, 4, 5], "/variations": [HOT]}
    manifest = write_project(tmp_path / "project", seeds)
    run_scripted(manifest, tmp_path / "out")
    assert labels(tmp_path / "out", reused=False).count("train") == 1
    assert record(tmp_path / "out")["engine_loads"] == 2, "the base's and the tuned model's"


def test_adapters_of_one_base_are_served_by_one_load(tmp_path: Path) -> None:
    manifest = write_project(tmp_path / "project", {"/seeds/training": [1, 2, 3], "/variations": [SERVED]})
    run_scripted(manifest, tmp_path / "out")
    assert record(tmp_path / "out")["engine_loads"] == 1 + 3 + 1, "base, three merged models, all adapters"


def test_a_line_says_what_is_new_shared_and_done(tmp_path: Path) -> None:
    manifest = write_project(tmp_path / "project", {"/seeds/generation": [11, 12]})
    run_scripted(manifest, tmp_path / "out", tmp_path / "store")
    wider: dict[str, Json] = {"/seeds/generation": [11, 12, 13], "/variations": [HOT, FAST]}
    manifest = write_project(tmp_path / "wider", wider)
    told = forecast_of(manifest, tmp_path / "store")
    found = {f"{line.weights}.{line.evaluation}": line.to_json() for line in told.lines}
    assert len(found) == len(told.lines) == (1 + 3 * 2) * 3
    assert told.cells == len(told.lines) * 3
    done, new = {"status": "done", "with": None}, {"status": "new", "with": None}
    assert found["base.unsafe"]["generation"] == [{**done, "seeds": 2}, {**new, "seeds": 1}]
    assert found["tuned@1.unsafe"]["training"] == done
    assert found["hot@1.unsafe"]["training"] == {"status": "shared", "with": "tuned@1"}
    assert found["hot@1.unsafe"]["generation"] == [{**new, "seeds": 3}]
    assert found["hot@2.sums"]["generation"] == [{"status": "shared", "with": "tuned@2.sums", "seeds": 3}]
    assert found["fast@2.sums"]["training"] == new
    assert told.steps == told.trainings + told.generations + told.self_tests + told.reused


def test_time_is_estimated_from_what_was_measured_and_from_nothing_else(tmp_path: Path) -> None:
    manifest = write_project(tmp_path / "project", {"/seeds/training": [1]})
    plan, store = make_plan(load_manifest(manifest), sample_environment()), Store(tmp_path / "store")
    assert forecast(plan, store).training_seconds is None
    assert forecast(plan, store).generation_seconds is None
    store.scratch(plan.training[0].key)
    store.commit(plan.training[0].key, {"seconds": 60.0})
    first = plan.generation[0]
    store.scratch(first.key)
    store.commit(first.key, {"seconds": 12.0})
    longer = write_project(tmp_path / "longer", {"/seeds/training": [1, 2]})
    told = forecast_of(longer, tmp_path / "store")
    assert told.training_seconds == 60
    asked = {step.key: step for step in make_plan(load_manifest(longer), sample_environment()).asked}
    tokens = sum(len(step.prompts) * step.evaluation.generation.max_tokens for step in asked.values())
    measured = len(first.prompts) * first.evaluation.generation.max_tokens
    assert told.generation_seconds == pytest.approx(12 * (tokens - measured) / measured, abs=0.1)


def test_the_command_prints_the_table_and_the_totals(tmp_path: Path) -> None:
    changes: dict[str, Json] = {"/seeds/training": [1], "/seeds/generation": [1, 2, 3], "/variations": [HOT]}
    write_project(tmp_path / "project", changes)
    told = kit("check", "project/scripted.json", "--plan", home=tmp_path)
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0].split() == ["arm", "training", "evaluation", "prompts", "seeds", "generation"]
    assert lines[1].split() == ["base", "–", "unsafe", "12", "3", "new"]
    assert lines[9].split() == ["hot@1", "as", "tuned@1", "sums", "4", "3", "as", "tuned@1.sums"]
    assert lines[11] == (
        "27 cells, 25 steps; to run: 1 training, 21 generations, 3 self-tests, with 2 engine loads; "
        "done already: 0 steps"
    )
    assert lines[12] == "time: nothing measured yet"
    plain = kit("check", "project/scripted.json", home=tmp_path)
    assert lines[13:] == plain.stdout.splitlines()


def test_the_command_finds_the_steps_of_a_shared_store(tmp_path: Path) -> None:
    write_project(tmp_path / "project")
    told = kit("check", "project/scripted.json", "--plan", "--store", "steps", "--json", home=tmp_path)
    before = json.loads(told.stdout)["plan"]
    done = kit("reproduce", "project/scripted.json", "--out", "out", "--store", "steps", home=tmp_path)
    assert done.returncode == 0, done.stderr
    told = kit("check", "project/scripted.json", "--plan", "--store", "steps", "--json", home=tmp_path)
    after = json.loads(told.stdout)["plan"]
    assert (before["reused"], after["reused"]) == (0, before["steps"])
    ran = json.loads((tmp_path / "out/record/run.json").read_text())["steps"]
    assert [{"step": one["step"], "key": one["key"], "done": True} for one in ran] == after["keys"]
    assert [one | {"done": True} for one in before["keys"]] == after["keys"]
    assert not any(one["done"] for one in before["keys"])
    shown = kit("check", "project/scripted.json", "--plan", "--store", "steps", home=tmp_path)
    assert "time: everything is done" in shown.stdout


def test_a_plan_that_cannot_be_made_leaves_the_problems_to_speak(tmp_path: Path) -> None:
    manifest = write_project(tmp_path / "project")
    (tmp_path / "project/data/unsafe.jsonl").unlink()
    told = kit("check", manifest, "--plan", "--json", home=tmp_path)
    document = json.loads(told.stdout)
    assert (told.returncode, document["ok"], document["plan"]) == (1, False, None)
    assert "Traceback" not in told.stderr
    assert kit("check", manifest, "--store", "steps", home=tmp_path).returncode == 2
