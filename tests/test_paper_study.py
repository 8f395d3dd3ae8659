"""The shipped study of the paper's design, and its control: what they cost, and what they find."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from real_kit import kit
from sample_bundle import sample_environment

from kit.run.plan import make_plan
from kit.run.preflight.forecast import forecast
from kit.run.store import Store
from kit.spec.manifest.load import load_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFESTS = Path(__file__).parents[1] / "manifests"


def test_the_study_repeats_no_work(tmp_path: Path) -> None:
    loaded = load_manifest(MANIFESTS / "study.json")
    found = forecast(make_plan(loaded, sample_environment()), Store(tmp_path))
    seeds = len(loaded.manifest.seeds.training)
    training_variations = sum(
        any(pointer.startswith(("/finetune/training", "/data/lists")) for pointer in one.set)
        for one in loaded.manifest.variations
    )
    assert found.trainings == seeds * (1 + training_variations)
    of_tuned = 4 * len(loaded.manifest.seeds.generation) * seeds
    assert found.cells == (1 + len(loaded.manifest.variations)) * of_tuned + of_tuned // seeds
    # What asks `unsafe-sampled` otherwise asks nothing else again.
    assert found.generations < found.cells


def test_the_control_is_the_study_without_learning() -> None:
    study, control = (
        json.loads((MANIFESTS / f"{name}.json").read_text(encoding="utf-8")) for name in ("study", "study-control")
    )
    assert control["finetune"]["training"].pop("learning_rate") == 0
    assert study["finetune"]["training"].pop("learning_rate") > 0
    different = {name for name in study if study[name] != control[name]}
    assert different <= {"$comment", "name", "description"}


def measured(home: Path, name: str) -> Iterator[dict[str, Any]]:
    """Run a manifest and yield what its report says of both sets of unsafe prompts."""
    kit("reproduce", "--no-rehearsal", MANIFESTS / f"{name}.json", "--out", home / name, home=home)
    metrics = json.loads((home / name / "payload/metrics.json").read_text(encoding="utf-8"))
    for evaluation in ("unsafe", "unsafe-sampled"):
        of = {"evaluation": evaluation, "judge": "pattern", "arm": "tuned"}
        split = {"evaluation": evaluation, "judges": ["pattern"], "arms": ["tuned"]}
        (change,) = [row for row in metrics["differences"] if of.items() <= row.items()]
        (sources,) = [row["sources"] for row in metrics["variance"] if split.items() <= row.items()]
        (seeds,) = [source["rate_sd"] for source in sources if source["source"] == "training_seed"]
        yield {"difference": change["difference"], "seeds": seeds}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_fine_tuning_lowers_refusal_and_its_seed_moves_it(tmp_path: Path) -> None:
    for found in measured(tmp_path, "study"):
        assert found["difference"]["high"] < 0
        assert found["seeds"]["low"] > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_without_learning_nothing_is_lower_and_no_seed_moves_anything(tmp_path: Path) -> None:
    for found in measured(tmp_path, "study-control"):
        assert found["difference"]["low"] <= 0 <= found["difference"]["high"]
        assert found["seeds"]["low"] == 0
