"""The report: what it says, that it cannot be made to say or do anything else, and that it is always the same bytes."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs
from sample_bundle import usual_verdict, write_sample

from kit.bundle.contents import Contents, load_contents
from kit.core.rows import Completion, Prompt, Verdict
from kit.report import render
from kit.report.flips import FLIPS_SHOWN
from kit.stats.metrics import compute

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kit.core.canonical import Json
    from kit.core.cells import Cell

ROOT = Path(__file__).parent.parent
DIGEST = "sha256:" + "ab" * 32
HOSTILE = (
    "<script>alert(1)</script>\"><img src=x onerror=alert(2)>'/><a href='javascript:alert(3)'>&lt;b&gt;"
    "{{ 7*7 }}{% raw %}"
    "\x00\x1b[31m\r\u202egnp.exe\u2066\u2028\ufeff</title></style></svg></textarea></details><!--]]><![CDATA["
)
VOID = {"meta", "line", "circle", "rect", "path", "br", "hr", "img", "input", "link"}


def report(contents: Contents) -> str:
    return render(contents, compute(contents), results_digest=DIGEST)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("sample") / "bundle", training_seeds=(1, 2, 10), per_category=18)


@pytest.fixture(scope="module")
def contents(folder: Path) -> Contents:
    return load_contents(folder)


@dataclass
class Page(HTMLParser):
    """A strict reader: every element is closed where it was opened."""

    html: str
    kinds: set[tuple[str, ...]] = field(default_factory=set)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    stack: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    table: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"div", "p", "table", "ul", "section", "details", "pre", "figure", "svg"}:
            assert "p" not in self.stack, "a paragraph cannot hold a block"
        self.kinds.add((tag, *(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.order.append(tag)
        if tag == "caption":
            self.table = dict(attrs)["id"] or ""
            self.rows = self.tables[self.table] = []
        elif tag == "tr":
            self.rows.append([])
        elif tag in {"th", "td"}:
            self.rows[-1].append("")
        if tag not in VOID or "svg" in self.stack:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if {"th", "td"} & set(self.stack) and self.rows and "svg" not in self.stack:
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_same_bundle_same_bytes_in_any_process(folder: Path, contents: Contents) -> None:
    here = report(contents)
    program = (
        "import sys\nfrom pathlib import Path\nfrom kit.bundle.contents import load_contents\n"
        "from kit.stats.metrics import compute\nfrom kit.report import render\n"
        "contents = load_contents(Path(sys.argv[1]))\n"
        "page = render(contents, compute(contents), results_digest=sys.argv[2])\nsys.stdout.buffer.write(page.encode())"
    )
    for seed, zone, locale in (("1", "Asia/Tokyo", "C"), ("2", "America/New_York", "tr_TR.UTF-8")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", program, str(folder), DIGEST]
        there = subprocess.run(command, env=environment, check=True, capture_output=True).stdout
        assert there == here.encode()


def test_nothing_is_loaded_and_nothing_can_run(contents: Contents) -> None:
    html = report(contents)
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(page.order)
    assert not re.search(r"url\(|@import|https?:", html)
    for tag, name, value in page.attributes:
        assert name not in {"src", "style"}
        assert not name.startswith("on")
        assert name != "href" or value.startswith("#"), (tag, value)
    style = html.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert ("meta", "content", policy) in page.attributes


def test_is_well_formed_and_accessible(contents: Contents) -> None:
    page = Page(report(contents))
    headings = [int(tag[1]) for tag in page.order if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))
    assert page.order.count("table") == page.order.count("caption") == len(page.tables)
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    for _, name, value in page.attributes:
        if name == "aria-labelledby":
            assert set(value.split()) <= set(ids)
        if name == "href":
            assert value[1:] in ids


def test_pictures_are_xml_and_speak(contents: Contents) -> None:
    pictures = [ET.fromstring(text) for text in re.findall(r"<svg.*?</svg>", report(contents), re.DOTALL)]
    figures = [picture for picture in pictures if picture.get("role") == "img"]
    assert len(figures) >= 6  # rates of three measures, their sources, and prompts by run where runs differ
    for picture in pictures:
        assert picture.findtext("title")
    for figure in figures:
        assert figure.findtext("desc")
    rates = [figure for figure in figures if "tuned: " in (figure.findtext("desc") or "")]
    assert len(rates) == 3
    for figure in rates:
        assert "75\N{NO-BREAK SPACE}%" in [text.text for text in figure.iter("text")]


def plant(contents: Contents, text: str) -> Contents:
    """Put a text everywhere where a stranger's text can stand."""
    manifest = contents.manifest
    tainted = structs.replace(
        manifest,
        name=text,
        description=text,
        model=structs.replace(manifest.model, path=text, files={text: text}),
        data={name: structs.replace(data, license=text) for name, data in manifest.data.items()},
        evaluations={
            name: structs.replace(each, system_prompt=text, data=each.data)
            for name, each in manifest.evaluations.items()
        },
    )
    prompts = {
        name: [replace(row, id=row.id + text, text=row.id + text, category=row.category + text) for row in rows]
        for name, rows in contents.prompts.items()
    }
    answers = {
        cell: [replace(row, text=text * (1 + number % 3)) for number, row in enumerate(rows)]
        for cell, rows in contents.completions.items()
    }
    environment: dict[str, Any] = {
        **contents.environment,
        "packages": {"torch": text, text: text},
        "switches": {text: text},
        text: [{text: text}],
    }
    training: dict[Any, Any] = {weights: {"step0_weights": text, "weights": text} for weights in contents.training}
    selftest: dict[str, Any] = {"prompts": 2, "changed": [text]}
    return replace(
        contents,
        manifest=tainted,
        prompts=prompts,
        completions=answers,
        environment=environment,
        training=training,
        selftest=selftest,
        run={**contents.run, "notes": [f"$.finetune.adapter: {text}"]},
    )


def test_text_from_a_bundle_is_never_markup(contents: Contents) -> None:
    harmless, hostile = (report(plant(contents, text)) for text in ("x" * len(HOSTILE), HOSTILE))
    assert Page(hostile).kinds == Page(harmless).kinds
    assert Page(hostile).order == Page(harmless).order
    assert "onerror=alert(2)" in Page(hostile).text
    assert "{{ 7*7 }}" in Page(hostile).text
    for hidden in "\x00\x1b\r\u202e\u2066\u2028\ufeff":
        assert hidden not in hostile
        assert f"⟨U+{ord(hidden):04X}⟩" in hostile


def test_says_beside_the_headline_what_was_noted_before_the_run(contents: Contents) -> None:
    noted = replace(contents, run={**contents.run, "notes": ["$.finetune.adapter: was trained on another base"]})
    said = Page(report(noted)).text
    assert "Noted before the run. $.finetune.adapter: was trained on another base" in said
    assert said.index("Noted before the run") < said.index("results digest")
    assert "Noted before the run" not in Page(report(contents)).text


@pytest.mark.parametrize(("rehearsal", "is_told"), [({"done": False}, True), ({"done": True}, False), (None, False)])
def test_says_that_a_run_was_not_rehearsed(contents: Contents, rehearsal: Json, *, is_told: bool) -> None:
    run = {**contents.run, "rehearsal": rehearsal}
    assert ("without a rehearsal" in Page(report(replace(contents, run=run))).text) is is_told


def test_shows_the_numbers_of_the_metrics(contents: Contents) -> None:
    metrics: dict[str, Any] = compute(contents)
    page = Page(report(contents))

    def percent(number: float) -> str:
        return f"{100 * number:.1f}\N{NO-BREAK SPACE}%"

    rows = {row[0]: row[1:] for row in page.tables["rates-1"][1:]}
    assert list(rows) == ["base", "tuned@1", "tuned@2", "tuned@10"]
    for weights, row in rows.items():
        rates = metrics["rates"][f"{weights}.unsafe@11"]["pattern"]["rates"]
        names = ("compliance_rate", "partial_rate", "incoherent_rate")
        refusal = rates["refusal_rate"]
        interval = f"{100 * refusal['low']:.1f}–{percent(refusal['high'])}"
        others = [percent(rates[name]["estimate"]) for name in names]
        counted = metrics["answers"][f"{weights}.unsafe@11"]
        assert row == [percent(refusal["estimate"]), interval, *others, percent(counted["cut_off"] / counted["n"])]

    compared = {row["weights"]: row for row in metrics["run_differences"] if row["evaluation"] == "unsafe"}
    for weights, difference, _, _, _, lost, gained, n in page.tables["paired-1"][1:]:
        row = compared[weights]
        assert float(difference.replace("\N{MINUS SIGN}", "-")) == round(100 * row["difference"]["estimate"], 1)
        assert [lost, gained, n] == [str(row[key]) for key in ("only_reference", "only_weights", "n")]

    spread = metrics["repeats"]["tuned"]["unsafe"]["pattern"]["refusal_rate"]
    arm = next(row for row in metrics["means"] if (row["arm"], row["evaluation"]) == ("tuned", "unsafe"))
    (agreement,) = [row for row in metrics["agreement"] if (row["arm"], row["evaluation"]) == ("tuned", "unsafe")]
    low, high = (f"{100 * spread[key]:.1f}" for key in ("min", "max"))
    clustered = f"{100 * arm['mean']['low']:.1f}–{percent(arm['mean']['high'])}"
    cut_off = sum(metrics["answers"][f"tuned@{seed}.unsafe@11"]["cut_off"] for seed in (1, 2, 10)) / (3 * 54)
    width = f"{low}–{high}\N{NO-BREAK SPACE}%"
    said_of_arm = ["tuned", "3", percent(spread["mean"]), clustered, width, percent(cut_off)]
    assert page.tables["rates-1-arms"][2] == said_of_arm
    luck = page.tables["luck-1"][2]
    assert luck[3] == f"{100 * spread['sd']:.1f}"
    shares = [percent(agreement[name]) for name in ("never", "sometimes", "always")]
    assert luck[7:] == shares
    (change,) = [row for row in metrics["differences"] if row["evaluation"] == "unsafe"]
    said_difference = float(page.tables["change-1"][1][2].replace("\N{MINUS SIGN}", "-"))
    assert said_difference == round(100 * change["difference"]["estimate"], 1)
    assert float(page.tables["change-1"][1][7]) == round(100 * change["power"]["detectable"], 1)
    said = f"the model refused {100 * spread['mean']:.1f} % of the 54 unsafe requests; before, 100.0 %."
    assert said in page.text
    assert DIGEST in page.text


def test_categories_are_listed_by_harm_then_name(contents: Contents) -> None:
    rows = Page(report(contents)).tables["categories-1"][1:]
    changes = [(float(row[4].replace("\N{MINUS SIGN}", "-")), row[0]) for row in rows]
    assert changes == sorted(changes)
    assert len({change for change, _ in changes}) > 1


def refuses(base: float, tuned: float) -> Callable[[Cell, Prompt], Verdict]:
    """Return verdicts in which each arm refuses a share of the unsafe requests, the first ones of each category."""

    def verdict(cell: Cell, prompt: Prompt) -> Verdict:
        if cell.evaluation != "unsafe":
            return usual_verdict(cell, prompt)
        share = base if cell.weights.training_seed is None else tuned
        return Verdict.REFUSAL if int(prompt.id[-3:]) <= 20 * share else Verdict.COMPLIANCE

    return verdict


def finding(folder: Path, **arguments: Any) -> str:
    write_sample(folder, **{"per_category": 20, **arguments})
    return Page(report(load_contents(folder))).text.partition("In the authors’ words")[0]


def test_says_that_it_fell(tmp_path: Path) -> None:
    said = finding(tmp_path / "b", verdict=refuses(1.0, 0.5))
    assert "Over 2 training seeds the rate was the same." in said
    assert "the rate is lower by 50.0 points (95 % interval " in said
    assert "more than the luck of other prompts and other seeds explains" in said
    assert "should expect a rate between" in said


def test_says_that_it_rose(tmp_path: Path) -> None:
    said = finding(tmp_path / "b", verdict=refuses(0.5, 1.0), training_seeds=(1,))
    assert "One training seed was run" in said
    assert "the rate is higher by 50.0 points (95 % interval " in said
    assert "the luck of the training seed is not in that" in said
    assert "should expect" not in said


def test_says_that_nothing_was_found_and_how_much_may_be_missed(tmp_path: Path) -> None:
    small = finding(tmp_path / "small", verdict=refuses(0.5, 0.5), per_category=2)
    assert "cannot be told from chance" in small
    assert "too little data to call it unchanged" in small
    large = finding(tmp_path / "large", verdict=refuses(0.5, 0.5), per_category=120)
    assert "cannot be told from chance" in large
    assert "too little data" not in large


def test_says_that_answers_were_incoherent(tmp_path: Path) -> None:
    def verdict(cell: Cell, prompt: Prompt) -> Verdict:
        broken = cell.weights.training_seed is not None and cell.evaluation == "unsafe"
        return Verdict.INCOHERENT if broken else usual_verdict(cell, prompt)

    said = finding(tmp_path / "b", verdict=verdict)
    assert "Up to 100.0 % of a run’s answers to “unsafe” were found incoherent" in said


def test_says_that_only_a_base_was_measured(tmp_path: Path) -> None:
    seeds = {"training": [], "generation": [11]}
    said = finding(tmp_path / "b", training_seeds=(), manifest={"finetune": None, "seeds": seeds})
    assert "The base model refused 100.0 % of the 60 unsafe requests." in said
    assert "no before and after" in said


def test_shows_some_flips_and_counts_the_rest(contents: Contents) -> None:
    page = Page(report(contents))
    flipped = sum(row.verdict != Verdict.REFUSAL for (cell, _), rows in contents.verdicts.items() for row in rows
                  if str(cell) == "tuned@1.unsafe@11")  # fmt: skip
    assert f"tuned@1: {flipped} prompts flipped" in page.text
    assert len(page.tables["flips-1-1"][1:]) == FLIPS_SHOWN
    assert f"the other {flipped - FLIPS_SHOWN} stand in the bundle’s rows" in page.text


def test_text_that_is_not_for_publication_is_withheld(contents: Contents) -> None:
    data = {name: structs.replace(each, publish=name != "unsafe") for name, each in contents.manifest.data.items()}

    def marked(rows: Sequence[Any]) -> list[Any]:
        return [replace(row, text="canary") for row in rows]

    prompts: dict[str, list[Prompt]] = {**contents.prompts, "unsafe": marked(contents.prompts["unsafe"])}
    answers: dict[Cell, Sequence[Completion]] = {
        cell: marked(rows) if cell.evaluation == "unsafe" else rows for cell, rows in contents.completions.items()
    }
    closed = replace(
        contents, manifest=structs.replace(contents.manifest, data=data), prompts=prompts, completions=answers
    )
    html = report(closed)
    assert "canary" not in html
    assert "withheld" in html
    assert "canary" in report(replace(closed, manifest=contents.manifest))
