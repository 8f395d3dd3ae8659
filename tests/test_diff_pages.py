"""The comparison as a page, and runs with other seeds held against where they are expected."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from msgspec import structs
from sample_bundle import usual_verdict, write_sample
from test_report import HOSTILE, Page, plant

from kit.bundle.contents import Contents, load_contents
from kit.cli import group
from kit.core.cells import Cell
from kit.core.rows import Prompt, Verdict
from kit.review.diff.compare import Comparison, compare
from kit.review.diff.document import to_json
from kit.review.diff.html import render
from kit.review.diff.text import render as render_text

if TYPE_CHECKING:
    from pathlib import Path

DIGESTS = ("sha256:" + "a" * 64, "sha256:" + "b" * 64)


def other_verdict(cell: Cell, prompt: Prompt) -> Verdict:
    """Say otherwise on the first prompts of one run."""
    usual = usual_verdict(cell, prompt)
    if cell.weights.training_seed != 1 or cell.evaluation != "unsafe" or int(prompt.id[-3:]) > 4:
        return usual
    return Verdict.COMPLIANCE if usual is Verdict.REFUSAL else Verdict.REFUSAL


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Contents, Contents]:
    folder = tmp_path_factory.mktemp("pair")
    a = write_sample(folder / "a", per_category=10)
    b = write_sample(folder / "b", per_category=10, verdict=other_verdict)
    return load_contents(a), load_contents(b)


def compared(a: Contents, b: Contents) -> Comparison:
    return compare(a, b, results_digests=DIGESTS)


def test_the_page_shows_both_answers_side_by_side(pair: tuple[Contents, Contents]) -> None:
    comparison = compared(*pair)
    page = Page(render(comparison, *pair))
    assert page.words[page.words.index(comparison.grade.value)] == comparison.grade.value
    assert comparison.reason in page.text
    assert all(digest in page.text for digest in DIGESTS)
    rows = page.tables["flips-1"][1:]
    flips = {flip.prompt_id: flip for flip in comparison.evidence.flips}
    assert rows
    for prompt, a, b in rows:
        flip = flips[prompt.split()[0]]
        assert flip.a.value in a
        assert flip.b.value in b
    moved = [row for row in comparison.evidence.rates if row.counts.discordant]
    assert len(page.tables["moved"][1:]) == len(moved)


def planted(contents: Contents, text: str) -> Contents:
    """Put a text where a stranger's text can stand, ids left alone: they join the rows."""
    tainted = plant(contents, text)
    prompts = {
        name: [replace(row, text=row.text + text, category=row.category + text) for row in rows]
        for name, rows in contents.prompts.items()
    }
    return replace(tainted, prompts=prompts)


def test_the_page_cannot_be_made_to_run_anything(pair: tuple[Contents, Contents]) -> None:
    pages = []
    for text in (HOSTILE, "x" * len(HOSTILE)):
        a, b = (planted(side, text) for side in pair)
        pages.append(Page(render(compared(a, b), a, b)))
    assert "onerror=alert(2)" in pages[0].text
    assert pages[0].kinds == pages[1].kinds
    assert pages[0].order == pages[1].order
    assert not {"script", "img", "iframe", "link"} & set(pages[0].order)


def test_text_that_is_not_for_publication_on_one_side_is_shown_on_neither(pair: tuple[Contents, Contents]) -> None:
    a, b = pair
    data = {name: structs.replace(one, publish=name != "unsafe") for name, one in b.manifest.data.items()}
    closed = replace(b, manifest=structs.replace(b.manifest, data=data))
    shown, hidden = render(compared(a, b), a, b), render(compared(a, closed), a, closed)
    assert "unsafe request" in shown
    assert "unsafe request" not in hidden
    assert "withheld" in hidden


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    a, b = write_sample(tmp_path / "a"), write_sample(tmp_path / "b", verdict=other_verdict)
    result = CliRunner().invoke(group, ["diff", str(a), str(b), "--html", str(tmp_path / "page.html")])
    assert result.exit_code == 1
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_rerun_with_another_seed_is_held_to_what_the_runs_expect(tmp_path: Path) -> None:
    many = load_contents(write_sample(tmp_path / "many", training_seeds=(1, 2, 3, 4, 5), per_category=20))
    one = load_contents(write_sample(tmp_path / "one", training_seeds=(9,), per_category=20))
    comparison = compared(many, one)
    found = [rerun for rerun in comparison.evidence.reruns if (rerun.arm, rerun.evaluation) == ("tuned", "unsafe")]
    assert [(rerun.reference, rerun.other, rerun.runs, rerun.within) for rerun in found] == [("a", "b", 5, 1)]
    (rerun,) = found
    table = [row.verdict is Verdict.REFUSAL for row in one.verdicts[Cell.parse("tuned@9.unsafe@11"), "pattern"]]
    assert rerun.rates == (sum(table) / len(table),)
    assert "where a further run is expected in" in comparison.reason
    assert "expected from 5 runs of a" in render_text(comparison)
    document: Any = to_json(comparison)
    assert json.dumps(document["reruns"])
    mirrored = [rerun for rerun in compared(one, many).evidence.reruns if rerun.evaluation == "unsafe"]
    assert [(each.reference, each.other, each.rates) for each in mirrored if each.arm == "tuned"] == [
        ("b", "a", rerun.rates)
    ]


def test_a_rerun_that_lies_elsewhere_is_said_to(tmp_path: Path) -> None:
    def never(cell: Cell, prompt: Prompt) -> Verdict:
        is_tuned = cell.weights.training_seed is not None and cell.evaluation == "unsafe"
        return Verdict.COMPLIANCE if is_tuned else usual_verdict(cell, prompt)

    many = load_contents(write_sample(tmp_path / "many", training_seeds=(1, 2, 3, 4, 5), per_category=20))
    one = load_contents(write_sample(tmp_path / "one", training_seeds=(9,), per_category=20, verdict=never))
    found = [rerun for rerun in compared(many, one).evidence.reruns if rerun.evaluation == "unsafe"]
    assert [rerun.within for rerun in found if rerun.arm == "tuned"] == [0]


def test_a_redacted_side_shows_no_text(pair: tuple[Contents, Contents]) -> None:
    a, b = pair
    withheld = {"text": "hmac-sha256:" + "0" * 64, "token_ids": "hmac-sha256:" + "1" * 64}
    rows = {
        cell: [
            replace(row, text="", token_ids=(), tokens=len(row.token_ids), withheld={**withheld, "prompt_tokens": ""})
            for row in of_cell
        ]
        if cell.evaluation == "unsafe"
        else of_cell
        for cell, of_cell in b.completions.items()
    }
    redaction: Any = type("Redaction", (), {"withheld": ("unsafe",)})()
    html = render(compared(a, b), a, replace(b, completions=rows, redaction=redaction))
    assert "unsafe request" not in html
    assert "withheld" in html
