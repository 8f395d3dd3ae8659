"""Bundles that are larger than one likes to hold in memory: compared row by row, by several processes where it pays."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sample_bundle import usual_text, usual_verdict, write_sample

from kit.bundle.contents import load_contents, open_contents
from kit.cli.compared import compare_bundles
from kit.core.errors import CheckFailed
from kit.core.rows import Verdict
from kit.review.diff.compare import compare

if TYPE_CHECKING:
    from pathlib import Path

    from kit.core.cells import Cell
    from kit.core.rows import Prompt

DIGESTS = ("sha256:" + "a" * 64, "sha256:" + "b" * 64)


def other_text(cell: Cell, prompt: Prompt, verdict: Verdict) -> str:
    """Say something else to one prompt in twelve."""
    return usual_text(cell, prompt, verdict) + (" Or not." if prompt.id.endswith("-007") else "")


def other_verdict(cell: Cell, prompt: Prompt) -> Verdict:
    return Verdict.INCOHERENT if prompt.id.endswith("-005") else usual_verdict(cell, prompt)


def peak_of_comparing(a: Path, b: Path) -> int:
    """Return the most bytes that a comparison held at a time."""
    gc.collect()
    tracemalloc.start()
    try:
        compare_bundles(a, b)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_completions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "kit.core.canonical.MAX_BYTES", 1 << 20
    )  # set aside for each document, which would hide the rows
    peaks, sizes = [], []
    for seeds in (range(2), range(8)):
        a, b = (
            write_sample(tmp_path / f"{name}{len(seeds)}", text=text, generation_seeds=seeds, per_category=60)
            for name, text in (("a", usual_text), ("b", other_text))
        )
        compare_bundles(a, b)  # what is imported the first time is not the rows'
        peaks.append(peak_of_comparing(a, b))
        sizes.append(sum(path.stat().st_size for side in (a, b) for path in side.glob("payload/completions/*")))
    assert sizes[1] > 3.9 * sizes[0]
    assert peaks[1] < 1.5 * peaks[0], "held as objects, they would take four times as much"


def test_several_processes_say_what_one_does(tmp_path: Path) -> None:
    a = open_contents(write_sample(tmp_path / "a", per_category=12))
    b = open_contents(
        write_sample(tmp_path / "b", per_category=12, text=other_text, verdict=other_verdict, training_seeds=(1, 3))
    )
    alone = compare(a, b, results_digests=DIGESTS)
    assert alone.evidence.flips
    assert alone.evidence.only_b
    assert sum(len(texts.divergences) for texts in alone.evidence.texts)
    assert compare(a, b, results_digests=DIGESTS, processes=2) == alone
    assert compare(load_contents(tmp_path / "a"), load_contents(tmp_path / "b"), results_digests=DIGESTS) == alone


@pytest.mark.parametrize("processes", [1, 2])
def test_rows_that_are_malformed_are_found_on_either_side_and_told_at_once(tmp_path: Path, processes: int) -> None:
    a, b = (write_sample(tmp_path / name) for name in "ab")
    spoiled = {
        b / "payload/completions/base.unsafe@11.jsonl": ('"seed":11', '"seed":"11"'),
        a / "payload/completions/tuned@1.benign@11.jsonl": ("cooking-001", "cooking-009"),
        b / "payload/verdicts/tuned@2.unsafe@11.pattern.jsonl": ('"rule"', '"rule":"twice","rule"'),
    }
    for path, (old, new) in spoiled.items():
        path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CheckFailed) as caught:
        compare(open_contents(a), open_contents(b), results_digests=DIGESTS, processes=processes)
    named = {problem.where.rpartition(":")[0] or problem.where for problem in caught.value.problems}
    assert named == {str(path) for path in spoiled}


def test_rows_without_a_counterpart_are_checked_as_well(tmp_path: Path) -> None:
    a = write_sample(tmp_path / "a")
    b = write_sample(tmp_path / "b", training_seeds=(1,))
    path = a / "payload/completions/tuned@2.unsafe@11.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(CheckFailed, match=r"tuned@2\.unsafe@11\.jsonl: has 11 rows for 12 prompts"):
        compare(open_contents(a), open_contents(b), results_digests=DIGESTS)


def test_prompts_in_another_order_are_joined_by_their_ids(tmp_path: Path) -> None:
    a, b = (
        load_contents(write_sample(tmp_path / name, text=text)) for name, text in (("a", usual_text), ("b", other_text))
    )
    backwards = replace(
        b,
        prompts={name: rows[::-1] for name, rows in b.prompts.items()},
        completions={cell: rows[::-1] for cell, rows in b.completions.items()},
        verdicts={key: rows[::-1] for key, rows in b.verdicts.items()},
    )
    straight, turned = (compare(a, other, results_digests=DIGESTS).evidence for other in (b, backwards))
    assert (turned.texts, turned.flips, turned.rates) == (straight.texts, straight.flips, straight.rates)
