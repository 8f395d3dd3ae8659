"""A want of memory in the middle of a run: what does not fit is lost, the rest goes on, and the bundle says so."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from real_kit import kit as real_kit
from sample_bundle import write_metrics, write_sample
from scripted_project import Silent, kit, payload, run_scripted, write_manifest, write_project
from test_quickstart import QUICKSTART, project

from kit.bundle import layout
from kit.bundle.contents import load_contents
from kit.bundle.missing import Missing
from kit.bundle.signing.fixed import FixedSigner
from kit.cli.environ import environment
from kit.core.canonical import canonical_json
from kit.core.cells import ArmSeed, Cell
from kit.core.errors import CheckFailed, OperationalError
from kit.report.html import render
from kit.review.verify import verify
from kit.run.backends.worker.process import Worker
from kit.run.executor import Backends
from kit.run.pipeline import run
from kit.run.store import Store
from kit.spec.manifest.load import load_manifest
from kit.stats.metrics import compute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.core.canonical import Json

HUGE = 10**9
"""MiB of a cache that no machine of the tests has memory for."""
BIG: Json = {"name": "big", "set": {"/finetune/lora/rank": 10**8}}
"""A rank that no machine of the tests has memory for, though the estimate has."""
LONG: Json = {"name": "long", "set": {"/engine/kv_cache_mib": HUGE}}
NEEDED = {"LORA": "lower finetune.training.batch_size", "CACHE": "lower engine.kv_cache_mib"}


def test_what_does_not_fit_is_lost_and_nothing_else(tmp_path: Path) -> None:
    manifest = write_project(tmp_path / "project")
    whole = run_scripted(manifest, tmp_path / "whole")
    outcome = run_scripted(write_manifest(manifest.parent, {"/variations": [BIG, LONG]}), tmp_path / "out")
    lost = [(problem.where, problem.what) for problem in outcome.lost]
    evaluations = ("sums", "unsafe", "unsafe-sampled")
    assert sorted(lost) == sorted(
        [(f"train big@{seed}", "ran out of memory") for seed in (1, 2)]
        + [(f"generate long@{seed}.{name}@11", "ran out of memory") for seed in (1, 2) for name in evaluations]
        + [(f"self-test long@{seed}", "ran out of memory") for seed in (1, 2)]
    )
    here, there = payload(outcome.folder), payload(whole.folder)
    here.pop("payload/metrics.json")
    there.pop("payload/metrics.json")
    assert here == there


def test_the_bundle_says_what_is_missing(tmp_path: Path) -> None:
    manifest = write_project(tmp_path / "project", {"/variations": [BIG]})
    result = kit("reproduce", manifest, "--out", tmp_path / "out", home=tmp_path)
    assert result.returncode == 1, result.stderr
    assert f"train big@1: ran out of memory; {NEEDED['LORA']}" in result.stderr
    said = "6 of 15 planned cells are missing: train big@1 ran out of memory (cells: 3); train big@2"
    assert said in verify(tmp_path / "out.zip").incomplete
    assert f"incomplete: {said}" in kit("verify", tmp_path / "out", home=tmp_path).stdout
    assert said in (tmp_path / "out/report.html").read_text()
    found = json.loads(kit("verify", tmp_path / "out.zip", "--json", home=tmp_path).stdout)
    assert found["incomplete"].startswith("6 of 15")
    kit("export", tmp_path / "out", "--latex", tmp_path / "latex", home=tmp_path)
    assert "incomplete: 6 of 15 planned cells are missing" in (tmp_path / "latex/methods.tex").read_text()
    redacted = kit("redact", tmp_path / "out", "--all", "--out", tmp_path / "shared", home=tmp_path)
    assert redacted.returncode == 0, redacted.stderr
    assert verify(tmp_path / "shared").incomplete == verify(tmp_path / "out").incomplete


def test_the_same_store_serves_what_is_missing_with_a_lower_setting(tmp_path: Path) -> None:
    manifest = write_project(tmp_path / "project", {"/variations": [BIG]})
    first = kit("reproduce", manifest, "--out", tmp_path / "out", home=tmp_path)
    (line,) = [line for line in first.stderr.splitlines() if "--store" in line]
    store = line.partition("--store ")[2].partition(" ")[0]
    smaller: Json = {"name": "big", "set": {"/finetune/lora/rank": 16}}
    manifest = write_manifest(manifest.parent, {"/variations": [smaller]})
    again = kit("reproduce", manifest, "--store", store, "--out", tmp_path / "again", "--json", home=tmp_path)
    assert again.returncode == 0, again.stderr
    outcome = json.loads(again.stdout)
    assert outcome["lost"] == []
    run: Any = load_contents(tmp_path / "again").run
    steps = [step["step"] for step in run["steps"] if not step["reused"]]
    assert steps
    assert all(" big@" in step for step in steps)


def test_a_run_that_can_measure_nothing_leaves_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(OperationalError, match=f"generate base.*ran out of memory; {NEEDED['CACHE']}"):
        run_scripted(write_project(tmp_path / "project", {"/engine/kv_cache_mib": HUGE}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@contextlib.contextmanager
def limited_memory(mebibytes: int) -> Iterator[Path]:
    """Give the file that takes a process into a group of processes that may use so much memory."""
    for root, limit in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        group = root / f"kit-test-{os.getpid()}"
        try:
            group.mkdir()
            (group / limit).write_text(str(mebibytes << 20))
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
            continue
        try:
            yield group / "cgroup.procs"
        finally:
            group.rmdir()
        return
    pytest.skip("no group of processes with little memory can be made here")


def test_a_worker_that_the_kernel_kills_for_memory_is_told_from_every_other_death(tmp_path: Path) -> None:
    """The adapter takes 700 MiB where there are 256: the kernel ends the process that asks for it."""
    big: Json = {"name": "big", "set": {"/finetune/lora/rank": 10**5}}
    manifest = write_project(tmp_path / "project", {"/variations": [big]})
    with limited_memory(256) as group:
        result = kit(
            "reproduce",
            manifest,
            "--out",
            tmp_path / "out",
            home=tmp_path,
            preexec_fn=lambda: group.write_text(str(os.getpid())),
        )
    assert result.returncode == 1, result.stderr
    assert "train big@1: was killed for want of memory; end other programs" in result.stderr
    assert verify(tmp_path / "out").incomplete.startswith("6 of 15 planned cells are missing: train big@1")


def test_torch_and_vllm_are_understood_when_they_want_memory(home: Path) -> None:
    """By the run itself: the command would have refused to begin, since `kit check` sees that neither can fit."""
    document = json.loads(QUICKSTART.read_text(encoding="utf-8"))
    document |= {
        "expect": None,
        "seeds": {"training": [1], "generation": [11]},
        "evaluations": {"capability": document["evaluations"]["capability"]},
        "variations": [BIG, LONG],
    }
    document["finetune"]["training"] |= {"epochs": None, "max_steps": 1}
    manifest = project(home / "want", document, "toy")
    real_kit("check", manifest, home=home, code=1)
    outcome = run(
        load_manifest(manifest),
        environment(document["environment"]["switches"]),
        home / "want/out",
        store=Store(home / "want/work"),
        backends=Backends(worker=Worker(dict(os.environ))),
        signer=FixedSigner(),
        progress=Silent(),
    )
    train, *asked = map(str, outcome.lost)
    assert train.startswith(f"train big@1: ran out of memory; {NEEDED['LORA']}")
    assert asked[0].startswith(f"generate long@1.capability@11: ran out of memory; {NEEDED['CACHE']}")
    assert verify(outcome.folder).incomplete.startswith("2 of 4 planned cells are missing: train big@1")


def incomplete_sample(folder: Path, missing: set[Cell]) -> Path:
    """Write a bundle of three training and two generation seeds without some of its cells."""
    write_sample(folder, training_seeds=(1, 2, 3), generation_seeds=(11, 12))
    contents = load_contents(folder)
    for cell in missing:
        (folder / layout.completions_file(cell)).unlink()
        for judge in contents.manifest.evaluations[cell.evaluation].judges:
            (folder / layout.verdicts_file(cell, judge)).unlink()
    for weights in contents.training.keys() - {cell.weights for cell in contents.completions.keys() - missing}:
        (folder / layout.training_file(weights)).unlink()
        shutil.rmtree(folder / layout.adapter_folder(weights))
    for part in ("training", "adapters"):
        with contextlib.suppress(OSError):  # not empty
            (folder / "payload" / part).rmdir()
    state_missing(folder, [Missing("generate", tuple(sorted(missing, key=str))).to_json()])
    return folder


def state_missing(folder: Path, missing: Json) -> None:
    run: dict[str, Any] = json.loads((folder / layout.RUN).read_text())
    (folder / layout.RUN).write_bytes(canonical_json({**run, "missing": missing}))


def test_numbers_and_report_can_be_had_of_whatever_is_left(tmp_path: Path) -> None:
    cells = sorted(
        load_contents(write_sample(tmp_path / "all", training_seeds=(1, 2, 3), generation_seeds=(11, 12))).completions,
        key=str,
    )
    random = Random(7)
    for number in range(25):
        left = set(random.sample(cells, random.choice([1, 2, 3, 6, 12, 20])))
        folder = incomplete_sample(tmp_path / str(number), set(cells) - left)
        write_metrics(folder)
        contents = load_contents(folder)
        metrics: Any = compute(contents)
        assert {Cell.parse(name) for name in metrics["rates"]} == left
        assert f"{len(cells) - len(left)} of {len(cells)} planned cells" in render(contents, metrics, results_digest="")


def test_statistics_over_seeds_hold_to_the_seeds_that_are_whole(tmp_path: Path) -> None:
    """One run of one training seed is missing: the other seeds are compared as if that seed had not been planned."""
    missing = {Cell(ArmSeed("tuned", 3), "unsafe", 12)}
    less: Any = compute(load_contents(incomplete_sample(tmp_path / "less", missing)))
    two = write_sample(tmp_path / "two", training_seeds=(1, 2), generation_seeds=(11, 12))
    fewer: Any = compute(load_contents(two))
    for block in ("means", "agreement", "variance", "differences"):
        one, other = ([row for row in found[block] if row["evaluation"] == "unsafe"] for found in (less, fewer))
        assert one == other


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("tuned@1", "is not a list"),
        ([7], "not a step that ran out of memory"),
        ([{"step": "generate", "why": "it looked bad", "cells": ["tuned@1.unsafe@11"]}], "not a step that ran out of"),
        ([{"step": "generate", "why": "ran out of memory", "cells": ["tuned@9.unsafe@11"]}], "one that is not planned"),
        ([{"step": "generate", "why": "ran out of memory", "cells": ["../x"]}], "is not the name of a cell"),
        ([{"step": "generate", "why": "ran out of memory", "cells": ["tuned@1.unsafe@11"] * 2}], "names a cell twice"),
        ([{"step": "generate", "why": "ran out of memory", "cells": ["tuned@1.unsafe@11"]}], "not called for"),
    ],
)
def test_a_record_that_does_not_fit_the_bundle_is_refused(missing: Json, said: str, tmp_path: Path) -> None:
    folder = write_sample(tmp_path / "bundle")
    state_missing(folder, missing)
    with pytest.raises(CheckFailed, match=said):
        load_contents(folder)


def test_not_every_cell_can_be_missing(tmp_path: Path) -> None:
    folder = write_sample(tmp_path / "bundle")
    cells = tuple(load_contents(folder).completions)
    state_missing(folder, [Missing("generate", cells).to_json()])
    with pytest.raises(CheckFailed, match="names every cell"):
        load_contents(folder)
