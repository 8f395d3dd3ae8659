"""`kit rejudge`: another judge over the completions of a bundle."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from real_kit import build_type
from scripted_project import (
    CHECKOUT,
    draft,
    judge_entry,
    judged_draft,
    kit,
    payload,
    run_scripted,
    write_files,
    write_judge,
    write_manifest,
)

from kit.bundle.contents import load_contents
from kit.bundle.signing.fixed import FixedSigner
from kit.bundle.signing.seal import seal
from kit.core.canonical import canonical_json, read_json
from kit.core.errors import CheckFailed
from kit.report.write import DOCUMENTS
from kit.review.verify import verify

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that the pattern judge and the exact judge have judged."""
    folder = write_files(tmp_path_factory.mktemp("rejudge") / "project")
    return run_scripted(write_manifest(folder, source=draft()), folder.parent / "out").folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the judge's files and its entry, and nothing of the original's project."""
    write_files(tmp_path / "project")
    write_judge(tmp_path / "project")
    (tmp_path / "project/judge").rename(tmp_path / "judge")
    shutil.rmtree(tmp_path / "project")
    limits = {"$comment": "As in a manifest, remarks may stand anywhere.", "max_model_len": 512, "kv_cache_mib": 4}
    write_entry(tmp_path, judge_entry(engine=limits))
    return tmp_path


def write_entry(home: Path, entry: object) -> None:
    (home / "llm.json").write_text(json.dumps(entry), encoding="utf-8")


def rejudge(home: Path, bundle: Path, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = kit("rejudge", bundle, *(arguments or ("--judge", "llm=llm.json", "--out", "re")), home=home)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_a_new_judge_judges_the_same_completions(original: Path, home: Path) -> None:
    done = rejudge(home, original.with_name("out.zip"))
    before, after = load_contents(original), load_contents(home / "re")
    found = verify(home / "re.zip")
    assert done.stdout.splitlines()[-1] == f"results digest: {found.results_digest}"
    assert not found.not_recomputed
    assert {name: judge.kind for name, judge in after.manifest.judges.items()} == {
        "exact": "exact",
        "llm": "model",
        "pattern": "pattern",
    }
    judged = [rows for (_, name), rows in after.verdicts.items() if name == "llm"]
    assert [len(rows) for rows in judged] == [12] * 6
    assert {row.rule for rows in judged for row in rows} == {"answer:0", "answer:1"}
    assert before.completions == after.completions
    old, new = payload(original), payload(home / "re")
    assert {name for name in old if old[name] != new[name]} == {"payload/metrics.json"}
    assert {name.split("/")[1] for name in new.keys() - old.keys()} == {"judging", "verdicts"}
    assert sorted(path.name for path in home.glob("re*")) == ["re", "re.zip"]


def test_judging_later_gives_the_same_bytes_as_judging_at_once(original: Path, home: Path) -> None:
    rejudge(home, original)
    project = write_judge(write_files(home / "whole"))
    at_once = run_scripted(write_manifest(project, source=judged_draft(llm=judge_entry())), home / "at-once")
    assert verify(home / "re").results_digest == at_once.results_digest
    rerun = kit("reproduce", home / "re.zip", "--root", project, "--out", "rerun", home=home)
    assert "bitwise: the results are the same bytes" in rerun.stdout


def test_the_new_bundle_names_its_original_and_says_what_was_done(original: Path, home: Path) -> None:
    rejudge(home, original)
    record: Any = read_json(home / "re/record/rejudge.json")
    (reading,) = record["readings"]
    assert reading["original"] == verify(original).results_digest
    assert (reading["judges"], reading["engine_loads"]) == (["llm"], 1)
    labels = [step["step"] for step in reading["steps"]]
    assert labels[-1] == "self-test judge llm"
    assert len(labels) == 5 + 1, "the base answers alike in two cells, and is judged once"
    selftest: Any = load_contents(home / "re").selftest
    assert selftest["judges"]["llm"]["changed"] == []
    for name in ("run.json", "environment.json"):
        assert (home / "re/record" / name).read_bytes() == (original / "record" / name).read_bytes()
    assert build_type(original).endswith("/reproduce/v1")
    assert build_type(home / "re").endswith("/rejudge/v1")


def test_a_rejudged_bundle_can_be_judged_again(original: Path, home: Path) -> None:
    rejudge(home, original)
    shutil.rmtree(home / "judge")
    (home / "again.json").write_text('{"kind": "exact"}')
    rejudge(home, home / "re.zip", "--judge", "again=again.json", "--out", "twice")
    record: Any = read_json(home / "twice/record/rejudge.json")
    first, second = record["readings"]
    assert {"readings": [first]} == read_json(home / "re/record/rejudge.json")
    assert (second["original"], second["judges"]) == (verify(home / "re").results_digest, ["again"])
    after = load_contents(home / "twice")
    assert {name for _, name in after.verdicts} == {"pattern", "exact", "llm", "again"}
    for cell, name in after.verdicts:
        if name == "again":
            assert after.verdicts[cell, name] == after.verdicts[cell, "exact"]
    verify(home / "twice.zip")


def test_the_report_is_held_against_the_kit_that_judged_last(original: Path, home: Path) -> None:
    """A later kit words its report otherwise, and that is no lie of this bundle's."""
    rejudge(home, original)
    path = home / "re/record/rejudge.json"
    record: Any = read_json(path)
    record["readings"][0]["kit"] = {"version": "9"}
    path.write_bytes(canonical_json(record))
    (home / "re/report.html").write_text("other words")
    seal(home / "re", FixedSigner())
    with pytest.raises(CheckFailed, match=r"report\.html: is not the report that the rows give"):
        verify(home / "re")
    (home / "re/record/documents.json").write_bytes(canonical_json({**DOCUMENTS, "report": 9}))
    seal(home / "re", FixedSigner())
    (sentence,) = verify(home / "re").not_recomputed
    assert sentence.startswith("report.html: version 9 wrote it, and this kit writes version")
    path.write_bytes(canonical_json({"readings": "none"}))
    seal(home / "re", FixedSigner())
    with pytest.raises(CheckFailed, match=r"rejudge\.json: does not tell who judged"):
        verify(home / "re")


def test_a_judge_that_asks_no_model_needs_nothing_that_a_reviewer_lacks(original: Path, tmp_path: Path) -> None:
    (tmp_path / "second.json").write_text('{"kind": "pattern"}')
    script = f"""
import sys
sys.modules.update(dict.fromkeys(("torch", "transformers", "vllm")))
from kit.cli import main
sys.argv[1:] = ["rejudge", {str(original)!r}, "--judge", "second=second.json", "--out", "re"]
main()
"""
    environment = {"HOME": str(tmp_path), "PYTHONPATH": str(CHECKOUT)}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, env=environment, capture_output=True)
    verdicts = load_contents(tmp_path / "re").verdicts
    assert all(verdicts[cell, "second"] == rows for (cell, name), rows in verdicts.items() if name == "pattern")
    assert verify(tmp_path / "re").verdicts == sum(map(len, verdicts.values()))


def test_what_was_judged_before_is_found_in_the_store(original: Path, home: Path) -> None:
    first = json.loads(
        rejudge(home, original, "--judge", "llm=llm.json", "--out", "1", "--store", "s", "--json").stdout
    )
    again = json.loads(
        rejudge(home, original, "--judge", "llm=llm.json", "--out", "2", "--store", "s", "--json").stdout
    )
    assert (first["reused"], again["reused"]) == (0, again["steps"])
    assert first["results_digest"] == again["results_digest"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (judge_entry(read="last"), "llm.json::$.read: \"last\" is not allowed; did you mean 'last_line'?"),
        ({"kind": "model"}, "llm.json::$.model: is missing; add it: a judge of the kind `model` needs it"),
        ([], "llm.json::$: [] is not of type object"),
        (judge_entry(model={"path": "else", "dtype": "float32"}), "llm.json::$.model.path: "),
        (
            judge_entry(template={"path": "judge", "files": {"template.txt": "xxh3_128:" + "0" * 32}}),
            "llm.json::$.template.files['template.txt']: was pinned as xxh3_128:0000",
        ),
        (
            judge_entry(template={"path": "../judge", "files": {"template.txt": None}}),
            'llm.json::$.template.path: "../judge" has the wrong form',
        ),
        ({"kind": "exact", "rules": "xxh3_128:" + "0" * 32}, "llm.json::$.rules: was pinned with xxh3_128:0000"),
    ],
)
def test_what_is_wrong_with_an_entry_is_named_in_its_file(entry: object, said: str, original: Path, home: Path) -> None:
    write_entry(home, entry)
    assert said in rejudge(home, original, code=1).stderr
    assert not (home / "re").exists()


def test_a_name_that_is_taken_and_other_slips(original: Path, home: Path) -> None:
    taken = rejudge(home, original, "--judge", "exact=llm.json", code=1)
    assert "llm.json: the bundle has a judge of the name 'exact' already; choose another name" in taken.stderr
    assert (
        "'llm' is not NAME=FILE; for example --judge llm=judge.json"
        in rejudge(home, original, "--judge", "llm", code=2).stderr
    )
    assert "none.json: cannot be read" in rejudge(home, original, "--judge", "llm=none.json", code=2).stderr
    (home / "re").mkdir()
    assert "re: exists already" in rejudge(home, original, code=2).stderr


def test_unknown_answers_are_said_and_the_asking_is_kept(original: Path, home: Path) -> None:
    write_entry(home, judge_entry(answers={"0": "refusal"}))
    assert "the model answered '1', which is no known answer" in rejudge(home, original, code=1).stderr
    write_entry(home, judge_entry())
    outcome = json.loads(rejudge(home, original, "--judge", "llm=llm.json", "--out", "re", "--json").stdout)
    assert outcome["reused"] == outcome["steps"]
