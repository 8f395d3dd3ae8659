"""Answers that were given before: judged without a model, and held against what people said of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from sample_bundle import sample_environment
from scripted_project import kit, run_scripted, write_manifest
from statsmodels.stats.inter_rater import cohens_kappa, to_table

from kit.bundle.contents import load_contents
from kit.core.errors import CheckFailed
from kit.review.verify import verify
from kit.run.preflight.check import check
from kit.spec.manifest.load import load_manifest

XSTEST = Path(__file__).parents[2] / "shared" / "data" / "xstest"
ROWS: list[dict[str, Any]] = [
    {"id": "a", "category": "x", "prompt": "A?", "completion": "I cannot help with that.", "label": "refusal"},
    {"id": "b", "category": "x", "prompt": "B?", "completion": "Sure, here is how.", "label": "compliance"},
    {"id": "c", "category": "y", "prompt": "C?", "completion": "", "label": "incoherent"},
    {"id": "d", "category": "y", "prompt": "D?", "completion": "That is not for me.", "label": "refusal"},
]

RECORDED: dict[str, Any] = {"path": "data", "answers": "recorded", "files": {"answers.jsonl": None}}


def recorded(folder: Path, rows: list[dict[str, Any]], **changes: Any) -> Path:
    """Pin a manifest of recorded answers."""
    (folder / "data").mkdir(parents=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "data/answers.jsonl").write_text(text, encoding="utf-8")
    source: dict[str, Any] = {
        "schema_version": 1,
        "name": "recorded",
        "description": "Answers that were given before.",
        "model": RECORDED,
        "data": {
            "answers": {
                "path": "data",
                "files": {"answers.jsonl": None},
                "format": "recorded",
                "license": "CC0-1.0",
                "publish": True,
            }
        },
        "finetune": None,
        "evaluations": {
            "unsafe": {
                "kind": "safety",
                "expects": "refusal",
                "data": "answers",
                "generation": {"temperature": 0.0, "max_tokens": 32},
                "judges": ["people", "pattern"],
            }
        },
        "judges": {"people": {"kind": "label"}, "pattern": {"kind": "pattern"}},
        "engine": {"max_model_len": 512, "kv_cache_mib": 4},
        "seeds": {"training": [], "generation": [0]},
        **changes,
    }
    return write_manifest(folder, source=source)


def test_answers_are_judged_as_they_were_recorded(tmp_path: Path) -> None:
    outcome = run_scripted(recorded(tmp_path / "project", ROWS), tmp_path / "out")
    contents = load_contents(outcome.folder)
    (completions,) = contents.completions.values()
    assert [row.text for row in completions] == [row["completion"] for row in ROWS]
    verdicts = {judge: [row.verdict.value for row in rows] for (_, judge), rows in contents.verdicts.items()}
    assert verdicts["people"] == [row["label"] for row in ROWS]
    metrics: Any = outcome.metrics
    (pair,) = metrics["judge_agreement"]
    assert (pair["answers"], pair["agreeing"], pair["parted"]) == (4, 3, [{"prompt_id": "d", "answers": 1}])
    assert not verify(outcome.archive).not_recomputed
    report = (outcome.folder / "report.html").read_text(encoding="utf-8")
    assert "is people: what they said of each recorded answer" in report


def test_no_torch_and_no_worker_is_needed(tmp_path: Path) -> None:
    manifest = recorded(tmp_path / "project", ROWS)
    done = kit("reproduce", manifest, "--out", "out", home=tmp_path)
    assert done.returncode == 0, done.stderr
    again = kit("reproduce", manifest, "--out", "again", home=tmp_path)
    assert done.stdout.splitlines()[-1] == again.stdout.splitlines()[-1]
    assert not (tmp_path / "out/record/logs").exists()
    assert kit("diff", "out", "again", "--require", "bitwise", home=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"variations": [{"name": "hot", "set": {"/name": "x"}}]}, "$.variations: recorded answers cannot be varied"),
        ({"seeds": {"training": [], "generation": [0, 1]}}, "$.seeds.generation: recorded answers were given once"),
        ({"model": {**RECORDED, "dtype": "float32"}}, "$.model.dtype: "),
        ({"model": {**RECORDED, "template_date": "2026-01-31"}}, "$.model.template_date: "),
        ({"model": {"path": "data", "files": {"answers.jsonl": None}}}, "$.model.dtype: is missing"),
    ],
)
def test_what_cannot_be_done_with_recorded_answers_is_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(CheckFailed) as caught:
        recorded(tmp_path / "project", ROWS, **changes)
    assert said in str(caught.value)


def test_a_row_without_its_answer_is_named_before_a_run(tmp_path: Path) -> None:
    rows = [*ROWS, {"id": "e", "category": "y", "prompt": "E?"}]
    manifest = recorded(tmp_path / "project", rows)
    report = check(load_manifest(manifest), sample_environment())
    assert any("answers.jsonl:5" in problem.where and "'completion'" in problem.what for problem in report.problems)


def test_a_label_that_is_no_verdict_ends_the_run_with_its_prompt(tmp_path: Path) -> None:
    rows = [{**row, "label": "meh"} if row["id"] == "b" else row for row in ROWS]
    with pytest.raises(
        CheckFailed, match="b: has the label 'meh', which is no verdict; label it with one of refusal, partial"
    ):
        run_scripted(recorded(tmp_path / "project", rows), tmp_path / "out")


@pytest.mark.skipif(not XSTEST.is_dir(), reason="XSTest's labelled completions are not here")
def test_xstests_answers_give_the_published_kappa(tmp_path: Path) -> None:
    project = tmp_path / "project"
    source = json.loads((Path(__file__).parents[1] / "manifests/xstest-people.draft.json").read_text(encoding="utf-8"))
    name = "completions_llama2orig.csv"
    (project / "real-data/xstest").mkdir(parents=True)
    (project / "real-data/xstest" / name).write_bytes((XSTEST / name).read_bytes())
    outcome = run_scripted(write_manifest(project, source=source), tmp_path / "out")
    with (XSTEST / name).open(encoding="utf-8", newline="") as stream:
        labels = {row["id"]: row["final_label"].partition("_")[2].split("_")[-1] for row in csv.DictReader(stream)}
    contents = load_contents(outcome.folder)
    verdicts: dict[str, dict[str, str]] = {"people": {}, "pattern": {}}
    for (_, judge), rows in contents.verdicts.items():
        verdicts[judge] |= {row.prompt_id: row.verdict.value for row in rows}
    published = {"refusal": "refusal", "compliance": "compliance"}
    for prompt_id, label in labels.items():
        expected = published.get(label, "partial")
        assert verdicts["people"][prompt_id] in {expected, "partial"}
    pairs = [[verdicts["people"][key], verdicts["pattern"][key]] for key in labels]
    metrics: Any = outcome.metrics
    (pair,) = [one for one in metrics["judge_agreement"] if one["evaluation"] is None]
    independent = cohens_kappa(to_table(pairs)[0])
    assert pair["answers"] == 450
    assert pair["kappa"]["estimate"] == pytest.approx(independent.kappa, rel=1e-9)
    assert pair["kappa"]["low"] == pytest.approx(independent.kappa_low, abs=0.01)
