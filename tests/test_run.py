"""A whole run, its trainer and engine scripted: what comes out, and what may not change it."""

from __future__ import annotations

import getpass
import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sample_bundle import sample_environment
from scripted_project import draft, kit, payload, run_scripted, write_files, write_manifest, write_project

from kit.bundle.contents import load_contents
from kit.bundle.signing.signers import Signers
from kit.core.digests import file_digest
from kit.core.errors import OperationalError
from kit.core.rows import Completion, load_rows, save_rows
from kit.review.verify import verify
from kit.run.assemble import self_test_record
from kit.run.backends.worker.jobs import COMPLETIONS
from kit.run.plan import make_plan
from kit.run.store import Store
from kit.spec.manifest.load import checked_manifest, load_manifest
from kit.spec.manifest.model import Expect
from kit.stats.expected import check_expected

if TYPE_CHECKING:
    from kit.core.canonical import Json
    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.manifest.places import Places

COMMON_WORDS = {"root", "runner", "user", "admin", "ubuntu", "build", "test", "localhost"}
"""User and host names that may stand in a payload for other reasons."""


def test_a_run_writes_a_bundle_that_verifies_as_folder_and_as_zip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a manifest, large as it may be, is read and validated once in a run, and once in a verification."""
    read: list[Path] = []

    def counted(document: Json, path: Path, places: Places) -> LoadedManifest:
        read.append(path)
        return checked_manifest(document, path, places)

    monkeypatch.setattr("kit.spec.manifest.load.checked_manifest", counted)
    manifest = write_project(tmp_path / "project")
    outcome = run_scripted(manifest, tmp_path / "out")
    assert read == [manifest]
    for bundle in (outcome.folder, outcome.archive):
        read.clear()
        found = verify(bundle, Signers({outcome.fingerprint: ""}, {}))
        assert [path.name for path in read] == ["manifest.json"]
        assert found.results_digest == outcome.results_digest
        assert found.signer_known
        assert not found.not_recomputed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.work", "out.zip", "project"]


def test_the_numbers_follow_from_the_completions(tmp_path: Path) -> None:
    """The scripted base refuses everything; the tuned arm refuses less, and differently for each training seed."""
    outcome = run_scripted(write_project(tmp_path / "project"), tmp_path / "out")
    expected = Expect(
        grade="bitwise",
        margin=0.01,
        numbers={"base/unsafe/pattern/refusal_rate": 1.0, "tuned/unsafe/pattern/refusal_rate": 1.0},
    )
    assert [one.is_met for one in check_expected(expected, outcome.metrics)] == [True, False]
    contents = load_contents(outcome.folder)
    seeds = [{row.text for row in rows} for cell, rows in contents.completions.items() if "tuned" in str(cell)]
    assert len({frozenset(texts) for texts in seeds}) == len(seeds)


def test_two_runs_in_two_places_give_the_same_bytes(tmp_path: Path) -> None:
    """Other folder, time zone, locale, hash seed, user and leftover variables: whatever a second machine has."""
    first = write_project(tmp_path / "here" / "project")
    second = write_project(tmp_path / "there" / "a longer path" / "project")
    who = {"TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "7", "USER": "nobody"}
    what = {
        "VLLM_USE_V1": "0",
        "OMP_NUM_THREADS": "16",
        "COLUMNS": "20",
        "KIT_IMAGE": f"sha256:{1:064}",
        "TMPDIR": "/var/tmp",
    }
    for manifest, env in ((first, {}), (second, who | what)):
        result = kit("reproduce", manifest, "--out", manifest.parent / "out", home=manifest.parent, env=env)
        assert result.returncode == 0, result.stderr
    assert payload(first.parent / "out") == payload(second.parent / "out")
    digests = {verify(manifest.parent / "out.zip").results_digest for manifest in (first, second)}
    assert len(digests) == 1
    assert result.stdout.splitlines()[-1] == f"results digest: {digests.pop()}"


@pytest.mark.parametrize(
    "changes",
    [
        {"/evaluations/unsafe/prompt_order_seed": 3, "/evaluations/sums/prompt_order_seed": 4},
        {"/engine/max_num_seqs": 1},
        {"/description": "Other words."},
    ],
)
def test_what_ought_not_to_matter_leaves_the_results_digest(changes: dict[str, Json], tmp_path: Path) -> None:
    manifest = write_project(tmp_path / "project")
    first = run_scripted(manifest, tmp_path / "first")
    second = run_scripted(write_manifest(manifest.parent, changes), tmp_path / "second")
    assert first.results_digest == second.results_digest
    assert (tmp_path / "first/manifest.json").read_bytes() != (tmp_path / "second/manifest.json").read_bytes()


def test_what_matters_changes_the_results_digest(tmp_path: Path) -> None:
    manifest = write_project(tmp_path / "project")
    first = run_scripted(manifest, tmp_path / "first")
    second = run_scripted(write_manifest(manifest.parent, {"/seeds/training": [1, 3]}), tmp_path / "second")
    assert first.results_digest != second.results_digest


def test_nothing_of_this_machine_stands_in_the_payload(tmp_path: Path) -> None:
    outcome = run_scripted(write_project(tmp_path / "project"), tmp_path / "out")
    names = {getpass.getuser(), socket.gethostname()} - COMMON_WORDS
    telling = [str(tmp_path), str(Path.cwd()), *names]
    for name, data in payload(outcome.folder).items():
        assert not [word for word in telling if word.encode() in data], name


@pytest.mark.parametrize(
    ("method", "trained", "adapters"), [("lora", 2, 2), ("full", 2, 0), ("adapter", 0, 0), (None, 0, 0)]
)
def test_every_method_goes_all_the_way(method: str | None, trained: int, adapters: int, tmp_path: Path) -> None:
    outcome = run_scripted(write_project(tmp_path / "project", method=method), tmp_path / "out")
    assert verify(outcome.archive).results_digest == outcome.results_digest
    assert len(load_contents(outcome.folder).training) == trained
    assert len([name for name in payload(outcome.folder) if name.endswith("adapter_model.safetensors")]) == adapters
    said = (outcome.folder / "report.html").read_text(encoding="utf-8")
    assert ("The adapter was trained before, once" in said) == (method == "adapter")


def test_templates_an_order_of_the_data_and_choices_go_all_the_way(tmp_path: Path) -> None:
    project = write_files(tmp_path / "project")
    (project / "own.jinja").write_text("{{ messages[0].content }}")
    (project / "other.jinja").write_text("{{ messages[-1].content }}")
    own, other = ({"path": ".", "files": {f"{name}.jinja": None}} for name in ("own", "other"))
    asked = [{"id": f"s-{n}", "category": "sums", "prompt": f"A or B, {n}?", "answer": "AB"[n % 2]} for n in range(8)]
    (project / "data/sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    source = draft()
    source["model"]["template"] = own
    source["finetune"]["training"]["data_seed"] = 5
    source["evaluations"]["sums"] |= {"choices": ["A", "B"], "judges": ["letter"]}
    source["judges"]["letter"] = {"kind": "choice"}
    del source["judges"]["exact"]
    source["variations"] = [{"name": "other", "set": {"/model/template": other, "/finetune/training/data_seed": 6}}]
    outcome = run_scripted(write_manifest(project, source=source), tmp_path / "out")
    assert verify(outcome.archive).results_digest == outcome.results_digest
    contents = load_contents(outcome.folder)
    digests = {name: file_digest(project / f"{name}.jinja") for name in ("own", "other")}
    for cell, rows in contents.completions.items():
        arm = "other" if cell.weights.arm == "other" else "own"
        assert {row.template for row in rows} == {digests[arm]}, cell
    orders = {str(weights): trace["order"] for weights, trace in contents.training.items()}
    assert orders["tuned@1"] == orders["tuned@2"] != orders["other@1"] == orders["other@2"]
    letters = {row.text for cell, rows in contents.completions.items() for row in rows if cell.evaluation == "sums"}
    assert letters == {"A", "B"}
    report = (outcome.folder / "report.html").read_text()
    for said in ("own.jinja", digests["own"], "choices", "The judge “letter” looks for the letter"):
        assert said in report


def test_the_tuned_arm_is_asked_with_its_own_weights(tmp_path: Path) -> None:
    for method in ("lora", "full", "adapter"):
        outcome = run_scripted(write_project(tmp_path / method / "project", method=method), tmp_path / method / "out")
        texts = {
            str(cell.weights): [row.text for row in rows]
            for cell, rows in load_contents(outcome.folder).completions.items()
            if cell.evaluation == "unsafe"
        }
        assert len({tuple(answers) for answers in texts.values()}) == len(texts), method


def test_cells_that_share_a_step_share_its_result(tmp_path: Path) -> None:
    """One training, five generation seeds, two temperatures: each thing done once, and the record says so."""
    hot: Json = {"name": "hot", "set": {"/evaluations/unsafe/generation/temperature": 1.0}}
    changes: dict[str, Json] = {
        "/seeds/training": [1],
        "/seeds/generation": [1, 2, 3, 4, 5],
        "/variations": [hot],
    }
    outcome = run_scripted(write_project(tmp_path / "project", changes), tmp_path / "out")
    record = load_contents(outcome.folder).run["steps"]
    assert isinstance(record, list)
    labels = [str(step["step"]) for step in record if isinstance(step, dict)]
    assert [label for label in labels if label.startswith("train")] == ["train tuned@1"]
    assert len(labels) == outcome.steps
    first, second = (payload(outcome.folder)[f"payload/completions/{arm}@1.sums@3.jsonl"] for arm in ("tuned", "hot"))
    assert first == second


def test_the_self_test_names_the_prompts_that_were_answered_otherwise(tmp_path: Path) -> None:
    manifest = write_project(tmp_path / "project")
    outcome = run_scripted(manifest, tmp_path / "out")
    contents = load_contents(outcome.folder)
    assert (contents.selftest["prompts"], contents.selftest["changed"]) == (3 * 12, [])
    plan, store = make_plan(load_manifest(manifest), sample_environment()), Store(tmp_path / "out.work")
    again = store.folder(plan.self_tests[0].key) / COMPLETIONS
    rows = [replace(row, token_ids=(1,)) if row.prompt_id == "r-07" else row for row in load_rows(again, Completion)]
    save_rows(again, rows)
    assert self_test_record(plan, store, contents.completions)["changed"] == ["base.unsafe-sampled@11:r-07"]


def test_a_shared_store_serves_the_next_run(tmp_path: Path) -> None:
    manifest = write_project(tmp_path / "project")
    first = run_scripted(manifest, tmp_path / "first", tmp_path / "store")
    again = run_scripted(manifest, tmp_path / "again", tmp_path / "store")
    assert (first.reused, again.reused) == (0, first.steps)
    more = run_scripted(
        write_manifest(manifest.parent, {"/seeds/training": [1, 2, 3]}), tmp_path / "more", tmp_path / "store"
    )
    assert more.reused == first.steps
    assert again.results_digest == first.results_digest


@pytest.mark.parametrize("taken", ["out", "out.zip"])
def test_nothing_is_overwritten(taken: str, tmp_path: Path) -> None:
    (tmp_path / taken).write_text("precious")
    with pytest.raises(OperationalError, match=rf"{taken}: exists already; choose another"):
        run_scripted(write_project(tmp_path / "project"), tmp_path / "out")
    assert (tmp_path / taken).read_text() == "precious"


def test_a_run_without_a_place_to_write_says_so(tmp_path: Path) -> None:
    manifest = write_project(tmp_path / "project")
    (tmp_path / "file").write_text("")
    with pytest.raises(OperationalError, match="cannot be written"):
        run_scripted(manifest, tmp_path / "file" / "out")
    with pytest.raises(OperationalError, match="cannot be read or written"):
        run_scripted(manifest, tmp_path / "file" / "out", tmp_path / "store")
