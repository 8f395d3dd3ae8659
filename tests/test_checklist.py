"""The checklist's answers are the bundle's, and what a bundle cannot know is left to its authors."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from sample_bundle import sample_manifest, write_sample
from scripted_project import kit

from kit.bundle import layout
from kit.bundle.contents import load_contents
from kit.bundle.files import folder_results_digest
from kit.core.canonical import canonical_json
from kit.core.errors import CheckFailed
from kit.report.export.checklist import AUTHORS, render
from kit.stats.metrics import compute

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "x](https://evil.example) <img src=x> `a` | *b* # www.evil.example\n\n## Faked\n- **Authors:** \u202e\x1b[31m"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("sample") / "bundle", training_seeds=(1, 2, 10))


def answers(folder: Path) -> str:
    contents = load_contents(folder)
    return render(contents, compute(contents), folder_results_digest(folder))


def test_each_question_is_answered_from_the_bundle(bundle: Path, tmp_path: Path) -> None:
    result = kit("attach", "--checklist", bundle, home=tmp_path)
    assert result.returncode == 0, result.stderr
    text = result.stdout.replace("\N{NO-BREAK SPACE}", " ")
    lines = text.splitlines()
    metrics = compute(load_contents(bundle))
    tuned = metrics["repeats"]["tuned"]["unsafe"]["pattern"]["refusal_rate"]  # type: ignore[index, call-overload]
    assert "- Training seeds: 1, 2, 10." in lines
    assert "- Generation seeds: 11." in lines
    rate = next(line for line in lines if line.startswith("- Refusal rate on “unsafe”, tuned: "))
    mean, low, high = (f"{100 * tuned[name]:.1f}" for name in ("mean", "min", "max"))  # type: ignore[index, call-overload, operator]
    assert f" {mean} % over 3 runs, lowest and highest {low}–{high} %" in rate
    for fact in ("learning rate 0.004", "rank 8", "licence CC0-1.0", "AMD EPYC 9R14", "torch 2.13.0+cpu", "12 prompts"):
        assert fact in text
    assert folder_results_digest(bundle) in text


def test_what_a_bundle_does_not_know_is_left_to_the_authors(bundle: Path) -> None:
    text = answers(bundle)
    open_lines = [line for line in text.splitlines() if line.startswith(f"- {AUTHORS}")]
    for words in ("licence of the model", "number of the model's parameters", "how these values were chosen", "risks"):
        assert any(words in line for line in open_lines), words
    # Every question of both checklists is named somewhere.
    asked = "; ".join(re.findall(r"^\*\[(.+)\]\*$", text, re.MULTILINE))
    assert set(re.findall(r"\b[A-E]\d", asked)) >= {"A1", "A2", *(f"B{n}" for n in range(1, 7)), "C1", "C2", "C3", "C4"}
    assert {int(n) for n in re.findall(r"\b\d+", asked)} == set(range(1, 17))


def test_no_text_of_a_bundle_becomes_markup(tmp_path: Path) -> None:
    data: dict[str, Any] = sample_manifest()["data"]
    data["unsafe"]["license"] = HOSTILE
    data["unsafe"]["path"] = "data/**unsafe**"
    folder = write_sample(tmp_path / "bundle", manifest={"data": data})
    plain = answers(write_sample(tmp_path / "plain"))
    text = answers(folder)
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        line for line in plain.splitlines() if line.startswith("#")
    ]
    assert text.count(f"\n- {AUTHORS}") == plain.count(f"\n- {AUTHORS}")
    line = next(line for line in text.splitlines() if "evil" in line)
    assert r"x\](https\://evil.example) \<img src=x\> \`a\` \| \*b\* \# www\.evil.example" in line
    assert "\u202e" not in text
    assert "\x1b" not in text


def test_records_of_another_shape_are_no_traceback(tmp_path: Path) -> None:
    folder = write_sample(tmp_path / "bundle")
    odd: list[Any] = [None, [], {}, "text", [1, "a", None], {"a": [{}]}, 1e308, True]
    for name, keys in (
        (layout.RUN, ("kit", "start", "end", "steps")),
        (layout.ENVIRONMENT, ("packages", "switches", "platform", "accelerators", "python")),
        (layout.SELFTEST, ("prompts", "changed")),
    ):
        whole = json.loads((folder / name).read_bytes())
        for value in odd:
            (folder / name).write_bytes(canonical_json(whole | dict.fromkeys(keys, value)))
            assert answers(folder).startswith("# Reproducibility answers")
        (folder / name).write_bytes(canonical_json(whole))
    trace = folder / layout.TRAINING / "tuned@1.json"
    whole = json.loads(trace.read_bytes())
    for key in ("order", "trainable_parameters"):
        for value in (None, {}, "text", [1, "a", None], -1, True):
            trace.write_bytes(canonical_json(whole | {key: value}))
            with pytest.raises(CheckFailed, match=r"tuned@1\.json: is not what a trainer records"):
                answers(folder)


def test_a_checklist_is_written_beside_nothing(bundle: Path, tmp_path: Path) -> None:
    assert kit("attach", "--checklist", bundle, "--out", "answers.md", home=tmp_path).returncode == 0
    assert (tmp_path / "answers.md").read_text(encoding="utf-8") == answers(bundle)
    again = kit("attach", "--checklist", bundle, "--out", "answers.md", home=tmp_path)
    assert (again.returncode, "--replace" in again.stderr) == (2, True)
    both = kit("attach", "--checklist", bundle, "paper.pdf", home=tmp_path)
    assert (both.returncode, "without one" in both.stderr) == (2, True)
    assert kit("attach", bundle, home=tmp_path).returncode == 2
