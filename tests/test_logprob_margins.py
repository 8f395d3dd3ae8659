"""How sure the model was where two completions part: recorded beside the results, shown, and left out of redactions."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs
from sample_bundle import usual_text, write_sample
from scripted_project import run_scripted, write_files, write_manifest
from test_report import Page

from kit.bundle import layout
from kit.bundle.contents import Contents, load_contents
from kit.bundle.signing.fixed import FixedSigner
from kit.bundle.signing.seal import seal
from kit.core.canonical import canonical_json, write_rows
from kit.core.cells import Cell
from kit.core.errors import CheckFailed
from kit.core.rows import LogprobMargins, Verdict, save_rows
from kit.review.diff.compare import Comparison, compare
from kit.review.diff.document import to_json
from kit.review.diff.html import render as render_page
from kit.review.diff.text import render
from kit.review.redact.bundle import Options, redact
from kit.review.redact.commitment import RedactionKey
from kit.review.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from kit.core.rows import Prompt

CELL = Cell.parse("tuned@1.unsafe@11")
SURE, NEAR_TIE = 2500, 2


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Contents, Contents]:
    """Two runs, of which the second goes its own way in one answer, at a token of which neither was sure."""
    folder = tmp_path_factory.mktemp("margins")

    def other_text(cell: Cell, prompt: Prompt, verdict: Verdict) -> str:
        usual = usual_text(cell, prompt, verdict)
        return usual.replace("help", "hold") if (cell, prompt.id) == (CELL, "fraud-002") else usual

    a, b = (
        load_contents(write_sample(folder / name, text=text)) for name, text in (("a", usual_text), ("b", other_text))
    )
    return with_margins(a, NEAR_TIE), with_margins(b, NEAR_TIE + 1)


def with_margins(contents: Contents, near: int) -> Contents:
    """Be sure of every token, but of the 26th."""
    margins = {
        cell: [
            LogprobMargins(
                prompt_id=row.prompt_id,
                margins=tuple(near if place == 25 else SURE for place in range(len(row.token_ids))),
            )
            for row in rows
        ]
        for cell, rows in contents.completions.items()
    }
    return replace(contents, margins=margins)


def compared(a: Contents, b: Contents) -> Comparison:
    return compare(a, b, results_digests=("sha256:" + "a" * 64, "sha256:" + "b" * 64))


def test_where_two_completions_part_both_tokens_and_both_leads_are_told(pair: tuple[Contents, Contents]) -> None:
    comparison = compared(*pair)
    document: Any = to_json(comparison)
    (parted,) = [one for texts in document["texts"] for one in texts["divergences"].values()]
    assert parted == {"index": 25, "a": ord("e"), "b": ord("o"), "margins": {"a": 0.002, "b": 0.003}}
    canonical_json(document)
    text = render(comparison)
    assert f"fraud-002  token 25: {ord('e')} → {ord('o')}" in text
    assert "a took it +0.002 nats before the likeliest other, b took it +0.003" in text
    assert "0.002 nats from the next likeliest (median)" in text


def test_the_page_shows_what_was_said_before_the_parting(pair: tuple[Contents, Contents]) -> None:
    a, b = pair
    rows = [
        replace(row, verdict=Verdict.PARTIAL) if row.prompt_id == "fraud-002" else row
        for row in b.verdicts[CELL, "pattern"]
    ]
    flipped = replace(b, verdicts={**b.verdicts, (CELL, "pattern"): rows})
    page = Page(render_page(compared(a, flipped), a, flipped))
    assert "from token 25 on (101 → 111), after “I'm sorry, but I cannot h”; a took it +0.002 nats" in page.text
    closed = {name: structs.replace(one, publish=False) for name, one in a.manifest.data.items()}
    a = replace(a, manifest=structs.replace(a.manifest, data=closed))
    assert "I cannot h" not in Page(render_page(compared(a, flipped), a, flipped)).text


def test_without_leads_the_tokens_are_told_alone(pair: tuple[Contents, Contents]) -> None:
    comparison = compared(*(replace(one, margins={}) for one in pair))
    assert "token 25" in render(comparison)
    assert "nats" not in render(comparison)
    one_sided = compared(pair[0], replace(pair[1], margins={}))
    (parted,) = [one for texts in one_sided.evidence.texts for one in texts.divergences.values()]
    assert parted.margins == (NEAR_TIE, None)


def test_a_run_records_them_beside_its_results_and_a_redaction_leaves_them_out(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "project")
    bundle = run_scripted(write_manifest(folder), tmp_path / "out").folder
    contents = load_contents(bundle)
    assert contents.margins.keys() == contents.completions.keys()
    for cell, rows in contents.completions.items():
        asked = zip(rows, contents.margins[cell], strict=True)
        assert all(
            (row.prompt_id, len(row.token_ids)) == (margin.prompt_id, len(margin.margins)) for row, margin in asked
        )
    found = verify(bundle)
    shared = redact(bundle, tmp_path / "shared", Options(), key=RedactionKey(b"k" * 32), signer=FixedSigner())
    assert not (shared.folder / layout.LOGPROB_MARGINS).exists()
    for path in (bundle / layout.LOGPROB_MARGINS).iterdir():
        path.unlink()
    (bundle / layout.LOGPROB_MARGINS).rmdir()
    seal(bundle, FixedSigner())
    assert verify(bundle).results_digest == found.results_digest, "they are no result"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"prompt_id": "fraud-009", "margins": []}, "answers 'fraud-009' where the prompt is 'fraud-001'"),
        ({"prompt_id": "fraud-001", "margins": [0.5]}, "'margins' is not a list of integers"),
        ({"prompt_id": "fraud-001", "margins": [1]}, "has 1 rows for 12 prompts"),
    ],
)
def test_malformed_leads_are_refused(row: Any, said: str, tmp_path: Path) -> None:
    bundle = write_sample(tmp_path / "bundle")
    path = bundle / layout.logprob_margins_file(CELL)
    path.parent.mkdir()
    write_rows(path, [row])
    with pytest.raises(CheckFailed, match=r"record/logprob-margins/tuned@1\.unsafe@11\.jsonl") as caught:
        load_contents(bundle)
    assert said in str(caught.value)


def test_leads_in_another_form_are_found(tmp_path: Path) -> None:
    bundle = write_sample(tmp_path / "bundle")
    path = bundle / layout.logprob_margins_file(CELL)
    rows = [{"prompt_id": row.prompt_id, "margins": []} for row in load_contents(bundle).completions[CELL]]
    path.parent.mkdir()
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    seal(bundle, FixedSigner())
    with pytest.raises(
        CheckFailed, match=r"record/logprob-margins/tuned@1\.unsafe@11\.jsonl: is not in the form that the kit writes"
    ):
        verify(bundle)


def test_leads_of_fewer_tokens_than_the_answer_has_are_found(tmp_path: Path) -> None:
    bundle = write_sample(tmp_path / "bundle")
    path = bundle / layout.logprob_margins_file(CELL)
    answers = list(load_contents(bundle).completions[CELL])
    path.parent.mkdir()
    save_rows(path, [LogprobMargins(prompt_id=row.prompt_id, margins=(0,) * len(row.token_ids)) for row in answers])
    seal(bundle, FixedSigner())
    verify(bundle)
    short = [
        LogprobMargins(prompt_id=row.prompt_id, margins=(0,) * (len(row.token_ids) - (row is answers[1])))
        for row in answers
    ]
    save_rows(path, short)
    seal(bundle, FixedSigner())
    tokens = len(answers[1].token_ids)
    with pytest.raises(CheckFailed, match=f":2: tells of {tokens - 1} tokens where the answer has {tokens}"):
        verify(bundle)
