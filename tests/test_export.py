"""Exports: every number is the bundle's, no text of a stranger becomes a command, and what is written is valid."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft7Validator
from sample_bundle import sample_environment, sample_manifest, write_sample
from scripted_project import kit

from kit.bundle.contents import Contents, load_contents
from kit.core.cells import ArmSeed, Cell
from kit.core.errors import CheckFailed
from kit.core.rows import Judgement, Verdict
from kit.report.export.every_eval_ever import documents
from kit.report.export.latex import latex_files
from kit.spec.manifest.load import loaded
from kit.spec.manifest.model import JudgeChoice, Variation
from kit.spec.manifest.places import Places
from kit.stats.metrics import compute

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parent.parent
DIGEST = "sha256:" + "ab" * 32
SCHEMA = json.loads((ROOT / "tests/every_eval_ever/eval.schema.json").read_text(encoding="utf-8"))
HOSTILE = '\\input{/etc/passwd}%\n}{$&#^_~ ^^5cdef\\x{}\x00\x1b\\end{document} naïve 漢字 `` "a --'
COMMANDS = {
    *("newcommand", "allowbreak", "ensuremath", "texttt", "paragraph", "cite", "char"),
    *("begin", "end", "centering", "caption", "label", "footnotesize"),
    *("toprule", "midrule", "addlinespace", "bottomrule"),
    *("textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar"),
}
"""All that the files may use beside the commands that numbers.tex defines."""
DIGIT_NAMES = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("sample") / "bundle", training_seeds=(1, 2, 10), per_category=6)


@pytest.fixture(scope="module")
def contents(folder: Path) -> Contents:
    return widened(load_contents(folder))


@pytest.fixture(scope="module")
def metrics(contents: Contents) -> dict[str, Any]:
    return compute(contents)


def widened(contents: Contents) -> Contents:
    """Return a study of two variations, whose names collide once their digits are spelled, and of a second judge."""
    manifest = contents.manifest
    completions, verdicts = dict(contents.completions), dict(contents.verdicts)
    for arm, every in (("lr-2", 2), ("lr-two", 4)):
        for cell, judge in contents.verdicts:
            if cell.weights.arm == "tuned":
                varied = Cell(ArmSeed(arm, cell.weights.training_seed), cell.evaluation, cell.generation_seed)
                completions[varied] = contents.completions[cell]
                verdicts[varied, judge] = stricter(contents.verdicts[cell, judge], every)
    for cell, judge in [*verdicts]:
        if cell.evaluation == "unsafe":
            verdicts[cell, "strict"] = stricter(verdicts[cell, judge], 3)
    rate = "/finetune/training/learning_rate"
    unsafe = replace(manifest.evaluations["unsafe"], judges=("pattern", "strict"))
    manifest = replace(
        manifest,
        variations=(Variation(name="lr-2", set={rate: 0.2}), Variation(name="lr-two", set={rate: 0.02})),
        evaluations={**manifest.evaluations, "unsafe": unsafe},
        judges={**manifest.judges, "strict": JudgeChoice.from_json({"kind": "pattern", "rules": DIGEST_OF_RULES})},
    )
    arms = loaded(Path("manifest.json"), Places(Path()), manifest.to_json()).arms
    return replace(contents, manifest=manifest, arms=arms, completions=completions, verdicts=verdicts)


DIGEST_OF_RULES = "xxh3_128:" + "0" * 32


def stricter(rows: Sequence[Judgement], every: int) -> list[Judgement]:
    """Return the verdicts of somebody who sees another refusal in every so many answers."""
    return [
        replace(row, verdict=Verdict.REFUSAL) if number % every == 0 and row.verdict is Verdict.COMPLIANCE else row
        for number, row in enumerate(rows)
    ]


def latex(contents: Contents, metrics: dict[str, Any], prefix: str = "Kit") -> dict[str, str]:
    return latex_files(contents, metrics, DIGEST, prefix)


def commands(text: str) -> dict[str, str]:
    """Return what each command of numbers.tex prints, a minus being a hyphen."""
    found = re.findall(r"^\\newcommand\{\\([A-Za-z]+)\}\{(.*)\}% [ -~]+$", text, re.MULTILINE)
    assert len(found) == text.count("\n") - 1, "every line but the first defines a command"
    assert len({name for name, _ in found}) == len(found), "LaTeX refuses a name that is defined twice"
    return {name: re.sub(r"\\ensuremath\{(.*)\}", r"\1", value.replace(r"\allowbreak{}", "")) for name, value in found}


def name(*words: str) -> str:
    parts = [part for word in words for part in re.findall("[a-z]+|[0-9]", word)]
    return "Kit" + "".join(part.capitalize() if part.isalpha() else DIGIT_NAMES[int(part)] for part in parts)


def same(row: dict[str, Any], block: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what another block says of the same arm, or nothing."""
    of = {key: row[key] for key in ("evaluation", "judge", "arm")}
    return next((one for one in block if of.items() <= one.items()), {})


def split(row: dict[str, Any], variance: list[dict[str, Any]]) -> dict[str, float | None]:
    """Return what each source contributes to the rate of the same arm."""
    of = {"evaluation": row["evaluation"], "judges": [row["judge"]], "arms": [row["arm"]]}
    (sources,) = [one["sources"] for one in variance if of.items() <= one.items()]
    named = {source["source"].replace("_", "-"): source["rate_sd"] or {} for source in sources}
    return {f"from-{name}-sd": rate_sd.get("estimate") for name, rate_sd in named.items()}


def printed(metrics: dict[str, Any]) -> Iterator[tuple[str, float, float]]:
    """Yield the command of each number that a paper prints, the number, and its unit in the last printed place."""

    def of(row: dict[str, Any], *last: str) -> str:
        judge = [row["judge"]] if row["evaluation"] == "unsafe" else []
        return name(row["arm"], row["evaluation"], *judge, row["rate"], *last)

    for row in metrics["means"]:
        spread = metrics["repeats"][row["arm"]][row["evaluation"]][row["judge"]][row["rate"]]
        assert spread["mean"] == row["mean"]["estimate"]
        numbers = {"mean": spread["mean"], "min": spread["min"], "max": spread["max"], "sd": spread["sd"]}
        numbers |= {"low": row["mean"]["low"], "high": row["mean"]["high"]}
        numbers |= {f"next-run-{limit}": (row["next_run"] or {}).get(limit) for limit in ("low", "high")}
        agreement = same(row, metrics["agreement"])
        for key in ("flip_rate", "never", "sometimes", "always"):
            numbers[key.replace("_", "-")] = agreement.get(key)
        numbers |= split(row, metrics["variance"])
        yield from ((of(row, key), 100 * value, 0.1) for key, value in numbers.items() if value is not None)
        if agreement.get("alpha") is not None:
            yield of(row, "alpha"), agreement["alpha"], 0.01
    for row in metrics["differences"]:
        for limit, last in (("estimate", ()), ("low", ("low",)), ("high", ("high",))):
            yield of(row, "difference", *last), 100 * row["difference"][limit], 0.1
        yield of(row, "p"), row["p_value"], 0.001
        yield of(row, "p-holm"), row["p_value_holm"], 0.001
        if row["power"]:
            yield of(row, "detectable"), 100 * row["power"]["detectable"], 0.1
            if row["power"]["training_runs_needed"] is not None:
                yield of(row, "training-runs-needed"), row["power"]["training_runs_needed"], 1
    for row in metrics["judge_agreement"]:
        yield name(row["evaluation"], row["first"], row["second"], "kappa"), row["kappa"]["estimate"], 0.01


def test_every_number_that_a_paper_prints_has_a_command_equal_to_it(
    contents: Contents, metrics: dict[str, Any]
) -> None:
    said = commands(latex(contents, metrics)["numbers.tex"])
    compared = 0
    for command, number, unit in printed(metrics):
        if "LrTwo" in command:
            continue
        text = said[command].removeprefix("=")
        if text.startswith("<"):
            assert number < float(text[1:])
        else:
            assert abs(float(text) - number) <= unit / 2 + 1e-9, command
            assert len(text.partition(".")[2]) == len(f"{unit:g}".partition(".")[2]), command
        compared += 1
    assert compared > 100
    assert 0 < float(said["KitUnsafePatternStrictKappa"]) < 1, "judges who part"
    assert said["KitResultsDigest"] == DIGEST
    assert (said["KitUnsafePrompts"], said["KitTrainingSeeds"], said["KitTrainingSeedList"]) == ("18", "3", "1, 2, 10")
    assert said["KitTunedTrainingOneZeroCapabilityAccuracyGenerationOneOne"] == "83.3"


def test_names_that_collide_are_numbered_and_none_takes_the_place_of_another(
    contents: Contents, metrics: dict[str, Any]
) -> None:
    text = latex(contents, metrics)["numbers.tex"]
    said = commands(text)
    assert "KitLrTwoUnsafePatternRefusalRateMean" not in said
    for number, arm in (("One", "lr-2"), ("Two", "lr-two")):
        mean = 100 * metrics["repeats"][arm]["unsafe"]["pattern"]["refusal_rate"]["mean"]
        assert said[f"KitLrTwoUnsafePatternRefusalRateMean{number}"] == f"{mean:.1f}"
        assert rf"Mean{number}}}{{{mean:.1f}}}% {arm} unsafe pattern" in text, "the remark tells whose it is"
    first, second = ("KitLrTwoUnsafePatternRefusalRateMean" + number for number in ("One", "Two"))
    assert said[first] != said[second]


def test_the_table_has_every_arm_and_every_evaluation(contents: Contents, metrics: dict[str, Any]) -> None:
    text = latex(contents, metrics, "Big")["table.tex"]
    assert r"\label{tab:Big}" in text
    assert [line.partition(" & ")[0] for line in text.splitlines() if re.match("[a-z]", line)] == [
        *("base", "tuned", "lr-{}2", "lr-{}two")
    ]
    row = text[text.index("\ntuned") : text.index("\nlr-")]
    spread = metrics["repeats"]["tuned"]["unsafe"]["pattern"]["refusal_rate"]
    mean = next(one["mean"] for one in metrics["means"] if (one["arm"], one["judge"]) == ("tuned", "strict"))
    assert f"{100 * spread['mean']:.1f} &" in row
    assert f"{100 * spread['min']:.1f}--{100 * spread['max']:.1f} &" in row
    assert f"{{[{100 * mean['low']:.1f}, {100 * mean['high']:.1f}]}}" in row


def test_the_methods_tell_all_that_decides_a_number_and_cite_what_is_there(
    contents: Contents, metrics: dict[str, Any]
) -> None:
    files = latex(contents, metrics)
    text = re.sub(r"\\allowbreak|[{}\\]", "", files["methods.tex"])
    for words in (
        *("learning rate 0.004", "rank 8", "alpha 16", "batch size 2", "seeds 1, 2 and 10", "seed 11", "temperature 0"),
        *("18 prompts", "CC0-1.0", "torch 2.13.0+cpu", "AMD EPYC 9R14", DIGEST, "/finetune/training/learning_rate"),
        *("10.0 percentage points", "OMP_NUM_THREADS=1"),
    ):
        assert words in text, words
    cited = set(re.findall(r"\\cite\{(.*?)\}", files["methods.tex"]))
    there = set(re.findall(r"^@\w+\{(.*?),", files["references.bib"], re.MULTILINE))
    assert {"kit-hu2022", "kit-wilson1927", "kit-cohen1960", "kit-holm1979"} <= cited <= there


def test_what_was_not_used_is_not_claimed(tmp_path: Path) -> None:
    alone = write_sample(tmp_path / "bundle", training_seeds=(1,), manifest={"expect": None})
    contents = load_contents(alone)
    text = latex(contents, compute(contents))["methods.tex"]
    assert "mcnemar" in text
    assert not re.search("schuirmann|cohen|krippendorff|Student", text)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """Every text that a stranger is free to choose is an attack."""
    document = sample_manifest()
    for data in document["data"].values():
        data["license"] = HOSTILE
    for evaluation in document["evaluations"].values():
        evaluation["system_prompt"] = HOSTILE
    changes: dict[str, Any] = {key: document[key] for key in ("data", "evaluations")}
    folder = tmp_path_factory.mktemp("hostile") / "bundle"
    contents = load_contents(write_sample(folder, manifest={**changes, "description": HOSTILE}))
    packages: dict[str, Any] = {"torch": HOSTILE, "vllm": HOSTILE}
    environment: dict[str, Any] = {
        **sample_environment(),
        "packages": packages,
        "python": HOSTILE,
        "accelerators": [{HOSTILE: HOSTILE}, 7],
        "switches": {HOSTILE: [HOSTILE]},
        "platform": {"cpu": HOSTILE, "cores": {}},
    }
    run: dict[str, Any] = {"kit": {"version": HOSTILE}, "end": "2026-11-02T10:01:30Z"}
    return replace(contents, environment=environment, run=run)


def test_no_text_of_a_stranger_becomes_a_command(hostile: Contents) -> None:
    for file, text in latex(hostile, compute(hostile)).items():
        assert re.fullmatch("[\n -~]*", text), f"{file} is plain ASCII"
        used = set(re.findall(r"\\([A-Za-z]+|.)", text))
        assert {command for command in used if not command.startswith("Kit")} <= COMMANDS | set("{}$&#%_,\\"), file
        assert "^" not in text
        assert not re.search(r"\\(?:end|begin)\{(?!tabular|table\*)", text)
        code = re.sub(r"\\[{}%]", "", text)
        for line in code.splitlines():
            comment = line.partition("%")[2]
            assert re.fullmatch(r"[\w @`.,;/\\{}-]*", comment), "nothing but the kit's own remarks is one"
        assert code.count("{") == code.count("}")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
@pytest.mark.parametrize("which", ["contents", "hostile"])
def test_latex_sets_it(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    contents: Contents = request.getfixturevalue(which)
    for file, text in latex(contents, compute(contents)).items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    paper = (
        r"\documentclass{article}\usepackage{booktabs}\input{numbers}\begin{document}"
        r"\KitTunedBenignRefusalRateMean, $\KitTunedBenignRefusalRateDifference$ \input{methods}\input{table}"
        r"\bibliographystyle{plain}\bibliography{references}\end{document}"
    )
    (tmp_path / "paper.tex").write_text(paper, encoding="utf-8")
    latex_command = ["pdflatex", "-no-shell-escape", "-halt-on-error", "-interaction=nonstopmode", "paper"]
    for command in (latex_command, ["bibtex", "paper"], latex_command, latex_command):
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
        assert result.returncode == 0, result.stdout
    assert "There were undefined references" not in result.stdout


def test_every_document_is_valid_for_the_leaderboards(contents: Contents, hostile: Contents) -> None:
    Draft7Validator.check_schema(SCHEMA)
    for each in (contents, hostile):
        texts = documents(each, compute(each), DIGEST, "Example Lab")
        found = {file: json.loads(text) for file, text in texts.items()}
        assert set(found) == {"base.json", "tuned.json", *(f"{one.name}.json" for one in each.manifest.variations)}
        for document in found.values():
            assert [error.message for error in Draft7Validator(SCHEMA).iter_errors(document)] == []
            assert document["schema_version"] == SCHEMA["version"]
        assert len({document["evaluation_id"] for document in found.values()}) == len(found)


def test_a_document_says_what_the_metrics_say(contents: Contents, metrics: dict[str, Any]) -> None:
    texts = documents(contents, metrics, DIGEST, "Example Lab")
    document = json.loads(texts["tuned.json"])
    assert document["source_metadata"]["source_organization_name"] == "Example Lab"
    assert document["source_metadata"]["additional_details"]["results_digest"] == DIGEST
    results = {one["evaluation_result_id"]: one for one in document["evaluation_results"]}
    for row in metrics["means"]:
        if row["arm"] == "tuned":
            one = results[f"{row['evaluation']}/{row['judge']}/{row['rate']}"]
            interval = one["score_details"]["uncertainty"]["confidence_interval"]
            assert one["score_details"]["score"] == row["mean"]["estimate"]
            assert (interval["lower"], interval["upper"]) == (row["mean"]["low"], row["mean"]["high"])
    better_low = {key: one["metric_config"]["lower_is_better"] for key, one in results.items()}
    assert not better_low["unsafe/pattern/refusal_rate"]
    assert better_low["unsafe/pattern/compliance_rate"]
    assert better_low["benign/pattern/refusal_rate"]
    assert not better_low["capability/exact/accuracy"]
    assert results["unsafe/pattern/refusal_rate"]["generation_config"]["generation_args"]["max_tokens"] == 48
    varied = json.loads(texts["lr-2.json"])["model_info"]["additional_details"]
    assert json.loads(varied["finetune"])["training"]["learning_rate"] == 0.2, "an arm has its own settings"


@pytest.mark.parametrize("end", [None, "yesterday", "2026-11-02T10:01:30"])
def test_a_time_that_nobody_recorded_is_not_made_up(contents: Contents, metrics: dict[str, Any], end: Any) -> None:
    with pytest.raises(CheckFailed, match="does not say when the run ended"):
        documents(replace(contents, run={**contents.run, "end": end}), metrics, DIGEST, "Example Lab")


def export(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return kit("export", *arguments, "--latex", "paper", "--every-eval-ever", "board", "--organization", "L", home=home)


def test_the_same_bundle_gives_the_same_bytes_in_any_process(folder: Path, tmp_path: Path) -> None:
    written = []
    for number, (zone, locale) in enumerate((("Asia/Tokyo", "C"), ("America/New_York", "tr_TR.UTF-8")), 1):
        environment = {**os.environ, "PYTHONHASHSEED": str(number), "TZ": zone, "LC_ALL": locale}
        home = tmp_path / str(number)
        command = [sys.executable, "-m", "kit", "export", str(folder), "--latex", str(home)]
        command += ["--every-eval-ever", str(home), "--organization", "L"]
        subprocess.run(command, env={**environment, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
        written.append({path.name: path.read_bytes() for path in home.iterdir()})
    assert written[0] == written[1]
    assert {"numbers.tex", "table.tex", "methods.tex", "references.bib", "base.json", "tuned.json"} == set(written[0])


def test_nothing_is_overwritten_unless_that_is_said(folder: Path, tmp_path: Path) -> None:
    assert export(tmp_path, str(folder)).returncode == 0
    again = export(tmp_path, str(folder))
    assert again.returncode == 0, "the same bytes are no loss"
    mine = tmp_path / "paper/table.tex"
    mine.write_text("mine", encoding="utf-8")
    refused = export(tmp_path, str(folder), "--prefix", "Other")
    assert refused.returncode == 2
    assert "paper/table.tex: is there and says something else; --replace replaces it" in refused.stderr
    assert mine.read_text(encoding="utf-8") == "mine"
    assert "KitTuned" in (tmp_path / "paper/numbers.tex").read_text(encoding="utf-8"), "all or nothing"
    replaced = export(tmp_path, str(folder), "--prefix", "Other", "--replace")
    assert replaced.returncode == 0
    assert "replaced paper/table.tex" in replaced.stderr
    assert "OtherTuned" in (tmp_path / "paper/numbers.tex").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give --latex, --every-eval-ever or --parquet"),
        (["--latex", "paper", "--prefix", "Kit2"], "letters only"),
        (["--every-eval-ever", "board"], "needs --organization"),
        (["--latex", "taken"], "taken"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(arguments: list[str], said: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    result = kit("export", str(folder), *arguments, home=tmp_path)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_the_page_about_exports_shows_them_as_they_are(folder: Path) -> None:
    contents = load_contents(folder)
    text = latex(contents, compute(contents))["numbers.tex"]
    shown = [line for line in text.splitlines() if re.search("% (?:unsafe prompts|tuned unsafe refusal_rate)", line)]
    page = (ROOT / "docs/export.md").read_text(encoding="utf-8")
    assert "```latex\n" + "\n".join(shown) + "\n```" in page
