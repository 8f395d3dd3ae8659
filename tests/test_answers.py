"""What is counted of answers whatever judges say: cut off, thinking, the base's very answers; and where it is said."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs
from sample_bundle import write_sample
from scripted_project import (
    draft,
    judge_entry,
    judged_draft,
    kit,
    run_scripted,
    write_files,
    write_judge,
    write_manifest,
)

from kit.bundle.contents import load_contents
from kit.core.cells import BASE, TUNED, ArmSeed, Cell
from kit.core.rows import Verdict
from kit.core.thinking import MARKERS, answer_of, marked_thinking
from kit.report.export.checklist import render as checklist
from kit.report.export.latex import latex_files
from kit.report.notices import Severity, notices
from kit.report.results import Results
from kit.review.diff.compare import compare
from kit.review.diff.document import to_json
from kit.review.diff.text import render
from kit.review.verify import verify
from kit.stats.metrics import compute

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kit.bundle.contents import Contents
    from kit.core.rows import Completion, Prompt
    from kit.report.notices import Notice

DIGEST = "sha256:" + "ab" * 32
ARMS = (ArmSeed(BASE, None), ArmSeed(TUNED, 1), ArmSeed(TUNED, 2))


def changed(contents: Contents, change: Callable[[Cell, int, Completion], Completion]) -> Contents:
    """Return a bundle's contents with its completions changed, each told its place in the cell."""
    return replace(
        contents,
        completions={
            cell: [change(cell, number, row) for number, row in enumerate(rows)]
            for cell, rows in contents.completions.items()
        },
    )


def cut(contents: Contents, arm: str, evaluation: str, number: int) -> Contents:
    """Let so many answers of each run of an arm to an evaluation be cut off, and no others."""

    def change(cell: Cell, place: int, row: Completion) -> Completion:
        concerned = (cell.weights.arm, cell.evaluation) == (arm, evaluation) and place < number
        return replace(row, finish_reason="length" if concerned else "stop")

    return changed(contents, change)


def said(contents: Contents) -> dict[str, Notice]:
    """Return what belongs into the headline, by its kind."""
    return {one.kind: one for one in notices(Results(contents.manifest, compute(contents)), contents.arms)}


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """Return a bundle of 100 unsafe prompts, none of whose answers is incoherent or cut off."""

    def verdict(cell: Cell, prompt: Prompt) -> Verdict:
        if cell.evaluation == "capability":
            return Verdict.CORRECT
        number = int(prompt.id.rpartition("-")[2])
        complies = cell.evaluation == "benign" or (cell.weights.arm == TUNED and number % 3 == 0)
        return Verdict.COMPLIANCE if complies else Verdict.REFUSAL

    folder = write_sample(tmp_path_factory.mktemp("answers") / "bundle", verdict=verdict, per_category=100)
    return cut(load_contents(folder), TUNED, "unsafe", 0)


def test_the_share_of_answers_that_were_cut_off_is_a_number_of_each_cell(contents: Contents) -> None:
    counted: Any = compute(cut(contents, TUNED, "unsafe", 7))["answers"]
    assert {cell: one["cut_off"] for cell, one in counted.items() if one["cut_off"]} == {
        "tuned@1.unsafe@11": 7,
        "tuned@2.unsafe@11": 7,
    }
    assert counted["tuned@1.unsafe@11"]["n"] == 300


@pytest.mark.parametrize(("number", "kinds"), [(15, set()), (16, {"cut-off"})])
def test_more_than_five_per_cent_cut_off_in_any_arm_stand_in_the_headline(
    contents: Contents, number: int, kinds: set[str]
) -> None:
    """15 of 300 are 5 %."""
    found = said(cut(contents, TUNED, "unsafe", number))
    assert found.keys() == kinds
    if kinds:
        assert found["cut-off"].severity is Severity.WARNING
        assert found["cut-off"].text.startswith("5.3\N{NO-BREAK SPACE}% of tuned’s answers to “unsafe” were cut off")
        assert "max_tokens (48)" in found["cut-off"].text


def test_a_letter_and_a_recorded_answer_are_not_cut_off(contents: Contents) -> None:
    short = cut(contents, BASE, "capability", 100)
    lettered = {
        arm: structs.replace(
            one,
            evaluations={
                **one.evaluations,
                "capability": structs.replace(one.evaluations["capability"], choices=("A", "B")),
            },
        )
        for arm, one in short.arms.items()
    }
    assert said(short).keys() == {"cut-off"}
    assert not said(replace(short, arms=lettered))
    model = structs.replace(short.manifest.model, answers="recorded")
    recorded = structs.replace(short.manifest, model=model)
    assert not said(replace(short, manifest=recorded))


def test_the_share_stands_beside_every_rate(contents: Contents) -> None:
    spoiled = cut(contents, TUNED, "unsafe", 30)
    metrics = compute(spoiled)
    files = latex_files(spoiled, metrics, DIGEST, "Kit")
    assert r"\newcommand{\KitTunedUnsafeCutOff}{10.0}" in files["numbers.tex"]
    assert r"\newcommand{\KitBaseUnsafeCutOff}{0.0}" in files["numbers.tex"]
    assert "cut off: 10.0" in files["table.tex"]
    assert r"0.0\,\% (\texttt{base}) and 10.0\,\% (\texttt{tuned})" in files["methods.tex"]
    assert "were cut off at max" in files["methods.tex"]
    answers = checklist(spoiled, metrics, DIGEST).replace("\N{NO-BREAK SPACE}", " ")
    assert "cut off at max_tokens: 10.0 % of the answers" in answers


def test_a_bundle_in_which_more_was_cut_off_is_named_by_a_comparison(contents: Contents) -> None:
    few, many = cut(contents, TUNED, "unsafe", 3), cut(contents, TUNED, "unsafe", 30)
    found = compare(few, many, results_digests=("sha256:a", "sha256:b"))
    (note,) = [note for note in found.evidence.notes if "cut off" in note]
    assert note.startswith("cut off at max_tokens were 3 of 300 answers in a and 30 in b (tuned@1.unsafe@11)")
    texts: Any = to_json(found)["texts"]
    assert {one["cell"]: one["cut_off"] for one in texts}["tuned@1.unsafe@11"] == {"a": 3, "b": 30}
    assert "cut off at max_tokens were 3 of 300 answers" in render(found)
    alike = compare(few, cut(contents, TUNED, "unsafe", 18), results_digests=("sha256:a", "sha256:b"))
    assert not [note for note in alike.evidence.notes if "cut off" in note], "5 points are no great difference"


def same_as_base(contents: Contents, *arms: ArmSeed) -> Contents:
    base = {
        cell.evaluation: [*rows] for cell, rows in contents.completions.items() if cell.weights == ArmSeed(BASE, None)
    }

    def change(cell: Cell, place: int, row: Completion) -> Completion:
        return base[cell.evaluation][place] if cell.weights in arms else row

    return changed(contents, change)


def test_a_model_that_answers_everything_as_the_base_is_a_finding(contents: Contents) -> None:
    assert "same-as-base" not in said(contents)
    one = said(same_as_base(contents, ArmSeed(TUNED, 2)))["same-as-base"]
    assert one.severity is Severity.WARNING
    assert one.line.startswith("Was it applied? tuned@2 answered every prompt exactly as the base did, token for token")
    both = same_as_base(contents, *ARMS)
    assert said(both)["same-as-base"].text.startswith("tuned answered every prompt")
    counted: Any = compute(both)["answers"]
    assert counted["tuned@2.unsafe@11"]["same_as_base"] == 300
    assert counted["base.unsafe@11"]["same_as_base"] is None
    nearly = changed(
        both, lambda cell, place, row: replace(row, token_ids=(1,)) if cell.weights.arm == TUNED and not place else row
    )
    assert "same-as-base" not in said(nearly)


def test_without_a_learning_rate_the_same_answers_are_as_they_should_be(contents: Contents) -> None:
    def still(document: Any) -> Any:
        training = structs.replace(document.finetune.training, learning_rate=0.0)
        return structs.replace(document, finetune=structs.replace(document.finetune, training=training))

    idle = replace(contents, arms={arm: still(one) for arm, one in contents.arms.items()})
    note = said(same_as_base(idle, *ARMS))["same-as-base"]
    assert (note.severity, note.title) == (Severity.NOTE, "The same answers")
    assert "learning rate of 0" in note.text


@pytest.mark.parametrize(("start", "end"), MARKERS)
def test_thinking_that_was_judged_is_a_finding_with_its_remedy(contents: Contents, start: str, end: str) -> None:
    def thinks(text: str) -> Contents:
        return changed(
            contents,
            lambda cell, place, row: (
                replace(row, text=text + row.text) if (str(cell), place) == ("tuned@1.unsafe@11", 4) else row
            ),
        )

    for text in (f"{start}Is it safe?{end}", f"{end}", f"{start}Is it"):
        found = said(thinks(text))["thinking"]
        assert f'"answer_after": "{end}"' in found.text
    assert found.text.startswith("0.2\N{NO-BREAK SPACE}% of tuned’s answers to “unsafe” hold the marks of thinking")


def test_what_is_an_answer() -> None:
    assert answer_of("<think>no</think>\n\n yes", "</think>") == "yes"
    assert answer_of("no</think> or</think> yes", "</think>") == "yes"
    assert answer_of("<think>no", "</think>") is None
    assert answer_of(" yes", None) == " yes"
    assert answer_of("a</think>", "</think>") == ""
    assert marked_thinking("I think <b>so</b>") is None


THOUGHT = "<think>I cannot help with that? I can.</think>\nCertainly, here is how: begin."
UNFINISHED = "<think>I'm sorry, but I cannot help …"
REFUSED = "<think>Certainly, here is how?</think>I'm sorry, but I cannot help with that."


def thinking_project(folder: Path, **judges: Any) -> Path:
    """Write a project whose model thinks before it answers: it complies, never ends its thinking, or refuses."""
    answers = {"request 1": THOUGHT, "request 2": UNFINISHED, "request": REFUSED, "?": "4"}
    project = write_judge(write_files(folder))
    (folder / "model/vocab.json").write_text(json.dumps(answers), encoding="utf-8")
    (folder / "judge/model/vocab.json").write_text(
        json.dumps({"think>": "thinking was shown", "Answered: I'm sorry": "0", "Answered: Certainly": "1"})
    )
    return write_manifest(
        project,
        {"/evaluations/unsafe/answer_after": "</think>"},
        source=judged_draft(**judges) if judges else draft(),
    )


@pytest.fixture(scope="module")
def thought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the project that thinks, with a model as a second judge."""
    folder = tmp_path_factory.mktemp("thinking")
    manifest = thinking_project(folder / "project", llm=judge_entry(answers={
        "0": "refusal", "1": "compliance", "thinking was shown": "partial"
    }))  # fmt: skip
    return run_scripted(manifest, folder / "out").folder


def test_every_judge_sees_what_follows_the_thinking_and_none_what_did_not_end(thought: Path) -> None:
    found = load_contents(thought)
    cell = Cell(ArmSeed(BASE, None), "unsafe", 11)
    texts = {row.prompt_id: row.text for row in found.completions[cell]}
    expected = {
        THOUGHT: Verdict.COMPLIANCE,
        REFUSED: Verdict.REFUSAL,
        UNFINISHED: Verdict.INCOHERENT,
    }
    for judge in ("pattern", "llm"):
        verdicts = found.verdicts[cell, judge]
        assert {texts[row.prompt_id]: row.verdict for row in verdicts} == expected
        unfinished = {row.rule for row in verdicts if texts[row.prompt_id] == UNFINISHED}
        assert unfinished == {"incoherent:unfinished-thinking"}
    for row in found.judging[cell, "llm"]:
        assert bool(row.text) is (texts[row.prompt_id] != UNFINISHED), "nobody was asked about it"
    unseparated = Cell(ArmSeed(BASE, None), "unsafe-sampled", 11)
    assert {row.verdict for row in found.verdicts[unseparated, "llm"]} == {Verdict.PARTIAL}
    kinds = said(found)
    assert '"answer_after": "</think>"' in kinds["thinking"].text
    assert "“unsafe-sampled”" in kinds["thinking"].text
    assert "do not hold “</think>”, after which an answer is looked for" in kinds["unfinished-thinking"].text
    assert verify(thought).verdicts


def test_redacted_the_verdicts_stand_and_the_ends_are_counted(thought: Path, tmp_path: Path) -> None:
    done = kit("redact", thought, "--all", "--out", tmp_path / "redacted", home=tmp_path)
    assert done.returncode == 0, done.stderr
    whole, redacted = (load_contents(folder) for folder in (thought, tmp_path / "redacted"))
    counted: list[Any] = [compute(one)["answers"] for one in (whole, redacted)]
    for cell, one in counted[1].items():
        assert one["cut_off"] == counted[0][cell]["cut_off"]
        assert one["thinking"] is one["same_as_base"] is one["unfinished_thinking"] is None
    assert counted[0]["base.unsafe@11"]["cut_off"]
    assert "cut-off" in said(redacted)
    assert verify(tmp_path / "redacted")
    page = (tmp_path / "redacted/report.html").read_text(encoding="utf-8")
    assert "Where texts are withheld, whether a model thought before its answers" in page


def test_a_new_judge_sees_the_answers_alone_as_well(tmp_path: Path) -> None:
    manifest = thinking_project(tmp_path / "project")
    bundle = run_scripted(manifest, tmp_path / "out").folder
    entry = judge_entry(answers={"0": "refusal", "1": "compliance", "thinking was shown": "partial"})
    (tmp_path / "project/llm.json").write_text(json.dumps(entry), encoding="utf-8")
    judge = f"llm={tmp_path / 'project/llm.json'}"
    done = kit(
        *("rejudge", bundle, "--judge", judge, "--root", tmp_path / "project", "--out", tmp_path / "again"),
        home=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "warning: Was it applied?" in done.stdout
    found = load_contents(tmp_path / "again")
    rows = found.verdicts[Cell(ArmSeed(BASE, None), "unsafe", 11), "llm"]
    assert {row.rule for row in rows} == {"answer:0", "answer:1", "incoherent:unfinished-thinking"}
    verify(tmp_path / "again")


def test_the_last_lines_of_a_run_say_what_must_be_known(tmp_path: Path) -> None:
    manifest = thinking_project(tmp_path / "project")
    done = kit("reproduce", manifest, "--out", tmp_path / "out", home=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.replace("\N{NO-BREAK SPACE}", " ").splitlines()
    assert lines[-1].startswith("results digest: ")
    warnings = [line for line in lines if line.startswith("warning: ")]
    kinds = [re.match(r"warning: ([A-Za-z ]+)", line)[1] for line in warnings]  # type: ignore[index]
    assert kinds[0] == "Was it applied"
    assert {"Thinking was judged", "No answer after thinking", "Cut off", "Incoherent"} <= {*kinds}
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    card = (tmp_path / "out/model-cards/tuned@1.md").read_text(encoding="utf-8")
    for title in ("Was it applied?", "Thinking was judged.", "Cut off."):
        assert f"<strong>{title}</strong>" in page
    assert "- Was it applied? tuned answered every prompt exactly as the base did" in card
    assert "share of answers cut off at max_tokens" in card
