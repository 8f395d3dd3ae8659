"""Engines and trainers as they are declared: what each names exists, and does what it says that it can."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from sample_bundle import write_sample
from scripted_project import run_scripted, write_project

from kit.bundle.contents import load_contents
from kit.core.canonical import canonical_json
from kit.report.html import render
from kit.run.backends.generation.requests import request_seed
from kit.run.backends.worker.child import implementation_of
from kit.run.backends.worker.jobs import PROMPTS, GenerationJob, TrainingJob
from kit.spec.backends import ENGINE, TRAINER, engines, trainers
from kit.spec.backends.interface import UNPROMISED
from kit.stats.metrics import compute

KIT = Path(__file__).parents[1]
PLACES = [
    *(place for engine in engines().values() for place in (engine.generate, engine.show)),
    *(trainer.train for trainer in trainers().values()),
]


@pytest.mark.parametrize("place", PLACES)
def test_what_is_declared_is_there(place: str) -> None:
    """Read and not imported: the real ones need torch."""
    module, _, function = place.partition(":")
    tree = ast.parse((KIT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_worker_finds_each_by_its_name() -> None:
    assert (ENGINE in engines(), TRAINER in trainers()) == (True, True)
    for name, engine in engines().items():
        assert implementation_of(name) == (engine.generate, GenerationJob)
        assert implementation_of(name + PROMPTS) == (engine.show, GenerationJob)
    for name, trainer in trainers().items():
        assert implementation_of(name) == (trainer.train, TrainingJob)


def test_the_scripted_engine_tells_what_it_says_that_it_can(tmp_path: Path) -> None:
    outcome = run_scripted(write_project(tmp_path / "project", method=None), tmp_path / "out")
    contents = load_contents(outcome.folder)
    can = engines()["scripted-engine"].capabilities
    rows = [(cell, row) for cell, rows in contents.completions.items() for row in rows]
    assert can.token_ids == all(row.token_ids for _, row in rows)
    assert can.request_seeds == all(row.seed == request_seed(cell.generation_seed, row.prompt_id) for cell, row in rows)
    assert contents.run["engine"] == {"name": "scripted-engine", "can": can.to_json()}
    assert can.logprob_margins == (contents.margins.keys() == contents.completions.keys())


def test_the_report_says_what_an_engine_cannot_promise(tmp_path: Path) -> None:
    """No engine of the kit lacks anything; a record of one that does is read like any other."""
    bundle = write_sample(tmp_path / "bundle")
    before = html(bundle)
    for name, sentence in UNPROMISED.items():
        run = json.loads((bundle / "record/run.json").read_text(encoding="utf-8"))
        run["engine"] = {"name": "<served>", "can": {one: one != name for one in UNPROMISED}}
        (bundle / "record/run.json").write_bytes(canonical_json(run))
        assert f"<li>The engine “&lt;served&gt;” {sentence}</li>" in html(bundle)
        assert sentence not in before


def html(bundle: Path) -> str:
    contents = load_contents(bundle)
    return render(contents, compute(contents), results_digest="sha256:0")
