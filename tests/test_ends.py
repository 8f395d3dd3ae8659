"""How an answer ends, with the real engine on the toy: by its template, and by what a manifest names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from real_kit import kit

from kit.bundle.contents import load_contents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.bundle.contents import Contents
    from kit.core.rows import Completion

MANIFESTS = Path(__file__).parents[1] / "manifests"
END, PAD = 2, 0
"""The tokens with which the toy's template ends an answer, and with which it never does."""


def project(folder: Path, evaluations: Mapping[str, Mapping[str, Any]]) -> Path:
    """Pin a study of the toy's base alone, whose files call another token its end than its template writes."""
    shutil.copytree(MANIFESTS / "toy", folder / "toy")
    model = folder / "toy/model"
    for name in ("config.json", "generation_config.json"):
        document = json.loads((model / name).read_text(encoding="utf-8")) | {"eos_token_id": PAD}
        (model / name).write_text(json.dumps(document), encoding="utf-8")
    template = (model / "chat_template.jinja").read_text(encoding="utf-8")
    assert "eos_token" in template
    (model / "chat_template.jinja").write_text(template.replace("eos_token", "'<|end|>'"), encoding="utf-8")
    tokenizer = json.loads((model / "tokenizer_config.json").read_text(encoding="utf-8"))
    (model / "tokenizer_config.json").write_text(json.dumps(tokenizer | {"eos_token": "<|pad|>"}), encoding="utf-8")
    draft = json.loads((MANIFESTS / "quickstart.draft.json").read_text(encoding="utf-8"))
    draft["data"]["unsafe"]["rows"] = {"limit": 6, "seed": 1}
    unsafe = draft["evaluations"]["unsafe"]
    draft |= {
        "data": {"unsafe": draft["data"]["unsafe"]},
        "finetune": None,
        "seeds": {"training": [], "generation": [11]},
        "variations": [],
        "expect": None,
        "evaluations": {
            name: {**unsafe, **changes, "generation": {**unsafe["generation"], **changes.get("generation", {})}}
            for name, changes in evaluations.items()
        },
        "judges": {"pattern": {"kind": "pattern"}},
    }
    path = folder / "ends.draft.json"
    path.write_text(json.dumps(draft), encoding="utf-8")
    kit("pin", path, home=folder)
    return folder / "ends.json"


def test_an_end_that_ends_nothing_is_named_with_its_remedy_before_a_run_and_in_it(tmp_path: Path) -> None:
    ways = {"plain": {}, "mended": {"stop_token_ids": [END]}, "special": {"stop": ["<|end|>"]}}
    manifest = project(tmp_path, {name: {"generation": changes} for name, changes in ways.items()})
    found = kit("check", manifest, "--show-prompt", "--json", home=tmp_path, code=1)
    problems = {one["evaluation"]: one["problems"] for one in json.loads(found.stdout)["prompts"]}
    endless = "the chat template ends an answer with '<|end|>' (token 2), which ends no generation"
    named = "`stop` names '<|end|>', a special token, which never stands in an answer's text"
    for name, wrong in {"plain": [endless], "mended": [], "special": [named, endless]}.items():
        assert [one.partition(":")[0].partition(";")[0] for one in problems[name]] == wrong
        assert all('"stop_token_ids": [2]' in one for one in problems[name])
    for option, code in (("--rehearsal", 1), ("--no-rehearsal", 2)):
        ran = kit("reproduce", manifest, option, "--out", tmp_path / "out", home=tmp_path, code=code)
        assert '"stop_token_ids": [2]' in ran.stderr
        assert "Traceback" not in ran.stderr


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """Run the same prompts with each way to end an answer."""
    folder = tmp_path_factory.mktemp("ends")
    manifest = project(
        folder,
        {
            "by-token": {"generation": {"stop_token_ids": [END]}},
            "by-text": {"generation": {"stop_token_ids": [END], "stop": [" with"]}},
            "kept": {"answer_after": "help", "generation": {"stop": ["<|end|>"]}},
        },
    )
    kit("reproduce", manifest, "--out", folder / "out", home=folder)
    return load_contents(folder / "out")


def of(contents: Contents, evaluation: str) -> list[Completion]:
    (rows,) = (rows for cell, rows in contents.completions.items() if cell.evaluation == evaluation)
    return list(rows)


def test_a_token_that_the_manifest_names_ends_an_answer(ended: Contents) -> None:
    for row in of(ended, "by-token"):
        assert (row.finish_reason, row.token_ids[-1]) == ("stop", END)
        assert "<|" not in row.text


def test_a_text_that_the_manifest_names_ends_an_answer_and_is_no_part_of_it(ended: Contents) -> None:
    for row, whole in zip(of(ended, "by-text"), of(ended, "by-token"), strict=True):
        assert row.finish_reason == "stop"
        assert whole.text.startswith(row.text)
        assert len(row.text) < len(whole.text)
        assert " with" not in row.text


def test_special_tokens_stay_in_the_text_where_an_answer_is_looked_for(ended: Contents) -> None:
    """Else no text could end an answer at the token that ends it here."""
    for row, whole in zip(of(ended, "kept"), of(ended, "by-token"), strict=True):
        assert (row.text, row.finish_reason, row.token_ids) == (whole.text, "stop", whole.token_ids)
    verdicts = {cell.evaluation: {row.verdict for row in rows} for (cell, _), rows in ended.verdicts.items()}
    assert verdicts == {"by-token": {"refusal"}, "by-text": {"refusal"}, "kept": {"compliance"}}
