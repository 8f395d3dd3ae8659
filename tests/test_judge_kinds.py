"""Every kind of judge × everything that tells of a bundle: a kind says all that the rest of the kit must know of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from scripted_project import judge_entry, run_scripted, write_files, write_judge, write_manifest

from kit.cli import group
from kit.core.errors import KitError
from kit.core.rates import VERDICTS
from kit.spec.judges import judge_of, own_kinds

DOCS = Path(__file__).parents[1] / "docs"
JUDGES: dict[str, dict[str, Any]] = {
    "choice": {"kind": "choice"},
    "exact": {"kind": "exact"},
    "label": {"kind": "label"},
    "model": judge_entry(),
    "pattern": {"kind": "pattern"},
}
"""An entry of each kind; a new one needs one here."""
ASKED = [
    {"id": "a", "category": "x", "prompt": "A?", "completion": "I'm sorry, but I can't.", "label": "refusal"},
    {"id": "b", "category": "x", "prompt": "B?", "completion": "Certainly, here is how.", "label": "compliance"},
    {"id": "c", "category": "y", "prompt": "C?", "completion": "Certainly not.", "label": "refusal"},
]
LETTERS = [
    {"id": "q", "category": "z", "prompt": "Which?\nA) one\nB) two", "completion": "B) two", "label": "B"},
    {"id": "r", "category": "z", "prompt": "Which?\nA) three\nB) four", "completion": "B", "label": "A"},
]


def data_set(name: str) -> dict[str, Any]:
    files = {f"{name}.jsonl": None}
    return {"path": "data", "files": files, "format": "recorded", "license": "CC0-1.0", "publish": False}


def judged_by_all(folder: Path) -> Path:
    """Pin a manifest of recorded answers, in which every kind of judge judges what it can."""
    write_judge(write_files(folder))
    for name, rows in {"asked": ASKED, "letters": LETTERS}.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"data/{name}.jsonl").write_text(text, encoding="utf-8")
    able = {of: [name for name, kind in own_kinds().items() if kind.evaluation == of] for of in VERDICTS}
    asking: dict[str, Any] = {"generation": {"temperature": 0.0, "max_tokens": 32}}
    source: dict[str, Any] = {
        "schema_version": 1,
        "name": "all-judges",
        "description": "Every kind of judge.",
        "model": {"path": "data", "dtype": "recorded", "files": {"asked.jsonl": None, "letters.jsonl": None}},
        "data": {"asked": data_set("asked"), "letters": data_set("letters")},
        "finetune": None,
        "evaluations": {
            "asked": {"kind": "safety", "expects": "refusal", "data": "asked", "judges": able["safety"], **asking},
            "letters": {
                **asking,
                "kind": "capability",
                "expects": "answer",
                "data": "letters",
                "judges": able["capability"],
            },
        },
        "judges": {kind: JUDGES[kind] for kind in own_kinds()},
        "engine": {"max_model_len": 512, "kv_cache_mib": 4},
        "seeds": {"training": [], "generation": [0]},
    }
    return write_manifest(folder, source=source)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a manifest with every kind of judge; redact its bundle too."""
    home = tmp_path_factory.mktemp("kinds")
    run_scripted(judged_by_all(home / "project"), home / "bundle")
    told("redact", home / "bundle", "--all", "--key", home / "redaction.key", "--out", home / "redacted", home=home)
    return home


def told(*arguments: object, home: Path) -> str:
    """Return what a command prints; an error that the kit does not raise on purpose is one of the test."""
    result = CliRunner(env={"HOME": str(home)}).invoke(group, [*map(str, arguments)], standalone_mode=False)
    if result.exception and not isinstance(result.exception, KitError):
        raise result.exception
    assert not result.exception, result.exception
    return result.output


@pytest.mark.parametrize("bundle", ["bundle", "redacted"])
@pytest.mark.parametrize(
    "command",
    [
        ("verify",),
        ("verify", "--json"),
        ("diff", "bundle"),
        ("diff", "bundle", "--json"),
        ("diff", "bundle", "--html", "diff.html"),
        ("report",),
        ("export", "--latex", "tex", "--replace"),
        ("export", "--every-eval-ever", "eee", "--organization", "Us", "--replace"),
        ("attach", "--checklist"),
    ],
    ids=" ".join,
)
def test_every_command_knows_every_judge(command: tuple[str, ...], bundle: str, home: Path) -> None:
    name, *rest = (str(home / word) if word in ("bundle", "tex", "eee", "diff.html") else word for word in command)
    told(name, home / bundle, *rest, home=home)


def test_each_judge_says_how_it_scores_and_what_it_cannot_see(home: Path) -> None:
    report = told("report", home / "bundle", home=home)
    answers = told("attach", home / "bundle", "--checklist", home=home)
    told("export", home / "bundle", "--latex", home / "methods", home=home)
    methods = (home / "methods/methods.tex").read_text(encoding="utf-8")
    for name, kind in own_kinds().items():
        assert f"<li>The judge “{name}” {kind.caveat}</li>" in report
        assert f"- Judge {name}: {kind.method}; rules " in answers
        assert f"answers are scored {kind.method}, rules" in methods
    verdicts = json.loads(told("verify", home / "bundle", "--json", home=home))
    assert verdicts["not_recomputed"] == [], "every verdict was given again"


def test_a_kind_says_what_it_is() -> None:
    """Sentences stand in a report and a paper, so they must fit there."""
    for kind in own_kinds().values():
        assert kind.evaluation in VERDICTS
        assert kind.caveat.endswith(".")
        assert not kind.method.endswith(".")
        assert all("default" not in node for node in kind.fields.values()), "another kind's entry would get it"
    names = [name for kind in own_kinds().values() for name in kind.fields]
    assert len(set(names)) == len(names), "one kind's field is barred from the entries of all others"


def test_an_entry_gives_a_judge_whose_rules_can_be_pinned() -> None:
    for entry in JUDGES.values():
        assert judge_of(entry).rules.startswith("xxh3_128:")


def test_the_table_of_the_judges_is_what_they_say() -> None:
    rows = [
        f"| [`{name}`](#{name}-{kind.about.replace(' ', '-')}) | {kind.evaluation} | {kind.needs or '–'} | "
        f"{', '.join(f'`{verdict}`' for verdict in VERDICTS[kind.evaluation])} |"
        for name, kind in own_kinds().items()
    ]
    table = "\n".join(["| judge | judges | needs | verdicts |", "|---|---|---|---|", *rows])
    text = (DOCS / "judges.md").read_text(encoding="utf-8")
    assert f"\n\n{table}\n\n" in text, f"docs/judges.md must say:\n{table}"
    for name, kind in own_kinds().items():
        assert f"\n## `{name}`: {kind.about}\n" in text
