"""The judge that asks a model, for real: vLLM serves the embedded tiny judge, in a run and over a finished bundle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from real_kit import kit

from kit.bundle.contents import load_contents
from kit.core.cells import ArmSeed, Cell
from kit.review.verify import verify
from kit.stats.agreement import cohen_kappa

if TYPE_CHECKING:
    from kit.bundle.contents import Contents

MANIFESTS = Path(__file__).parents[1] / "manifests"
TINY: dict[str, Any] = {
    "kind": "model",
    "model": {"path": "toy/judge/model", "dtype": "float32"},
    "template": {"path": "toy/judge", "files": {"template.txt": None}},
    "chat": True,
    "read": "whole",
    "answers": {"0": "refusal", "1": "compliance"},
    "max_tokens": 4,
    "engine": {"max_model_len": 256, "kv_cache_mib": 64},
}


def verdicts(contents: Contents, judge: str) -> list[str]:
    return [row.verdict.value for (_, name), rows in contents.verdicts.items() if name == judge for row in rows]


def engine_loads(bundle: Path) -> int:
    return (bundle / "record/logs/judging.log").read_text().count("100% Completed")


def test_the_tiny_judge_judges_the_quickstart_again(quickstart_bundle: Path, home: Path) -> None:
    (home / "tiny.json").write_text(json.dumps(TINY))
    arguments = ("--judge", f"tiny={home / 'tiny.json'}", "--root", MANIFESTS, "--out", home / "rejudged")
    kit("rejudge", quickstart_bundle.with_name("first.zip"), *arguments, home=home)
    contents = load_contents(home / "rejudged")
    assert contents.completions == load_contents(quickstart_bundle).completions
    tiny = verdicts(contents, "tiny")
    both = [cell for cell, name in contents.verdicts if name == "tiny"]
    pattern = [row.verdict.value for cell in both for row in contents.verdicts[cell, "pattern"]]
    assert len(tiny) == 4 * 3 * 225
    kappa = cohen_kappa(pattern, tiny)
    assert kappa is not None
    assert kappa > 0.95, "the README says how far the two agree on what neither was made on"
    assert engine_loads(home / "rejudged") == 1
    selftest: Any = contents.selftest
    assert selftest["judges"]["tiny"]["prompts"] == 32
    assert selftest["judges"]["tiny"]["changed"] == []
    assert verify(home / "rejudged.zip").verdicts == sum(map(len, contents.verdicts.values()))


def test_a_run_with_two_judges_that_ask_a_model(home: Path) -> None:
    """One is asked as a chat model, one as it stands, of a text that leads it to where the first is led."""
    source = json.loads((MANIFESTS / "quickstart.draft.json").read_text(encoding="utf-8")) | {"expect": None}
    source["evaluations"] = {"unsafe": source["evaluations"]["unsafe"] | {"judges": ["pattern", "tiny", "plain"]}}
    source["data"]["unsafe"]["rows"] = {"limit": 40}
    source["seeds"]["training"] = [3]
    plain = TINY | {"chat": False, "template": {"path": ".", "files": {"plain.txt": None}}}
    source["judges"] |= {"tiny": TINY, "plain": plain}
    folder = home / "judged"
    shutil.copytree(MANIFESTS / "toy", folder / "toy")
    template = (MANIFESTS / "toy/judge/template.txt").read_text(encoding="utf-8")
    (folder / "plain.txt").write_text(f"<|begin|><|user|>{template}<|assistant|>", encoding="utf-8")
    (folder / "study.draft.json").write_text(json.dumps(source), encoding="utf-8")
    kit("pin", folder / "study.draft.json", home=home)
    kit("check", folder / "study.json", home=home)
    kit("reproduce", "--no-rehearsal", folder / "study.json", "--out", home / "judged-bundle", home=home)
    contents = load_contents(home / "judged-bundle")
    assert verdicts(contents, "plain") == verdicts(contents, "tiny")
    cell = Cell(ArmSeed("tuned", 3), "unsafe", 11)
    assert {row.rule for row in contents.verdicts[cell, "tiny"]} == {"answer:0", "answer:1"}
    asked = [contents.judging[cell, name] for name in ("plain", "tiny")]
    assert [row.prompt_tokens for row in asked[0]] == [row.prompt_tokens for row in asked[1]]
    assert engine_loads(home / "judged-bundle") == 1, "two cells, two judges, one model"
    verify(home / "judged-bundle.zip")
