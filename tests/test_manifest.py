"""Manifests: what is accepted, what is refused and in which words, and what pinning and checking find.

A file in `acceptance/manifests/valid` must be accepted. One in `acceptance/manifests/invalid` must be refused with
exactly the lines of the `.txt` beside it. Files that end in `.draft.json` are drafts. Adding a file adds a test.
"""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_bundle import sample_environment
from scripted_project import draft, edited, write_files

from kit.core.canonical import canonical_json, parse_json, read_json
from kit.core.digests import file_digest
from kit.core.errors import CheckFailed, KitError, OperationalError
from kit.run.preflight.check import check
from kit.spec.environment.record import record_environment
from kit.spec.judges import judge_of
from kit.spec.manifest.load import document_problems, load_manifest, loaded
from kit.spec.manifest.model import Manifest
from kit.spec.manifest.pin import pin
from kit.spec.manifest.places import Places
from kit.spec.manifest.pointer import PointerError, patched
from kit.spec.manifest.schema import problems, schema, with_defaults
from kit.spec.manifest.starter import starter_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from kit.core.canonical import Json

HERE = Path(__file__).parent
FOLDER = HERE / "acceptance" / "manifests"
VALID = sorted(FOLDER.glob("valid/*.json"))
INVALID = sorted(FOLDER.glob("invalid/*.json"))


def is_draft(path: Path) -> bool:
    return path.name.endswith(".draft.json")


def said(path: Path) -> str:
    """Return what the kit says of an invalid file, a line a problem, with FILE for its name."""
    with pytest.raises(CheckFailed) as caught:
        pin(path, sample_environment()) if is_draft(path) else load_manifest(path)
    return "".join(f"{line}\n" for line in str(caught.value).replace(str(path), "FILE").split("\n"))


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_what_is_valid_is_accepted(path: Path) -> None:
    if is_draft(path):
        assert document_problems(with_defaults(read_json(path))[0], str(path), draft=True) == []
        with pytest.raises(
            CheckFailed, match=r"this is a draft: \d+ values are not filled in, the first is .*; `kit pin"
        ):
            load_manifest(path)
        return
    loaded = load_manifest(path)
    assert set(loaded.arms) - {"base", "tuned"} == {variation.name for variation in loaded.manifest.variations}
    assert json.loads(json.dumps(loaded.manifest.to_json())) == what_is_said(loaded.document)


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_what_is_invalid_is_refused_in_these_words(path: Path) -> None:
    assert said(path) == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_the_published_schema_and_the_kit_agree() -> None:
    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    for path in (*VALID, *INVALID):
        try:
            document = read_json(path)
        except CheckFailed:
            continue
        assert validator.is_valid(document) == (not problems(document, "")), path.name


def test_the_published_schema_holds_what_the_kinds_say() -> None:
    """A judge or a format is one file, which the published schema is written from: `python -m docs.schema`."""
    code = "import sys, docs.schema; sys.stdout.write(docs.schema.text())"
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE.parent, capture_output=True, check=True)
    assert (HERE.parent / "schemas/manifest-1.schema.json").read_bytes() == done.stdout


def test_the_reference_is_what_the_schema_says_now() -> None:
    command = [sys.executable, "-m", "docs.reference"]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, check=True, encoding="utf-8")
    assert (HERE.parent / "docs" / "manifest.md").read_text(encoding="utf-8") == done.stdout


def test_everything_that_the_schema_allows_is_described() -> None:
    def walk(node: dict[str, Any], path: str) -> None:
        for name, below in node.get("properties", {}).items():
            resolved = {**schema()["$defs"].get(below.get("$ref", "").removeprefix("#/$defs/"), {}), **below}
            assert resolved.get("description"), f"{path}/{name}"
            walk(below, f"{path}/{name}")

    walk(schema(), "")
    for name, definition in schema()["$defs"].items():
        walk(definition, name)


def without_remarks(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: without_remarks(item) for key, item in value.items() if key not in ("$comment", "$schema")}
    return [without_remarks(item) for item in value] if isinstance(value, list) else value


LATER = {
    *("choices", "data_seed", "template", "template_date", "chat_template_kwargs", "quantization", "processes"),
    *("tensor_parallel_size", "pipeline_parallel_size", "answer_after", "stop", "stop_token_ids"),
}
"""Fields that manifests of the kit's first days do not have."""


def what_is_said(value: Json) -> Json:
    """Return a document without remarks, and without null where a manifest of the first days has nothing."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key not in LATER or item is not None}
        return without_remarks({key: what_is_said(item) for key, item in kept.items()})
    return [what_is_said(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("path", [path for path in VALID if not is_draft(path)], ids=lambda path: path.stem)
def test_a_manifest_of_the_first_days_is_valid_and_keeps_its_digest(path: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    document: Any = what_is_said(read_json(path))
    document |= {"variations": [], "expect": None}
    old.write_text(json.dumps(document))
    new = tmp_path / "new.json"
    new.write_text(json.dumps(with_defaults(document)[0]))
    assert new.read_text() != old.read_text()
    assert load_manifest(new).digest == load_manifest(old).digest


def test_remarks_and_layout_do_not_change_what_a_manifest_is() -> None:
    bare, remarked = (load_manifest(FOLDER / "valid" / f"{name}.json") for name in ("variations", "with-remarks"))
    assert remarked.document["$comment"] == "For readers."
    varied = copy.deepcopy(remarked.document)
    varied["variations"] = bare.document["variations"]
    assert Manifest.from_json(varied).to_json() == bare.manifest.to_json()


def test_a_number_means_the_same_however_it_is_written(tmp_path: Path) -> None:
    path = FOLDER / "valid" / "lora.json"
    other = tmp_path / "lora.json"
    other.write_text(path.read_text().replace('"training": [1, 2]', '"training": [1.0, 2e0]'))
    assert load_manifest(other).digest == load_manifest(path).digest
    assert [str(seed) for seed in load_manifest(other).manifest.seeds.training] == ["1", "2"]


def test_pointers_are_followed_alike_in_a_file_and_in_its_canonical_form() -> None:
    document: dict[str, Json] = {"a": {"b": 1, "c/d~e": [1, 2]}}
    changes: dict[str, Json] = {"/a/b": 2, "/a": {"b": 3, "c/d~e": [4, 5]}, "/a/c~1d~0e/1": 6}
    expected = {"a": {"b": 2, "c/d~e": [4, 6]}}
    canonical = parse_json(canonical_json(changes), "")
    assert isinstance(canonical, dict)
    assert patched(document, changes) == patched(document, canonical) == expected
    assert document == {"a": {"b": 1, "c/d~e": [1, 2]}}
    with pytest.raises(PointerError, match="'-' is not there"):
        patched(document, {"/a/c~1d~0e/-": 1})


# Files


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A model, data and a draft, as they lie on an author's disk."""
    folder = write_files(tmp_path / "project")
    (folder / "x.draft.json").write_text(json.dumps(draft()))
    return folder


def pinned(project: Path) -> Path:
    path = project / "x.json"
    path.write_text(json.dumps(pin(project / "x.draft.json", record_environment(image=None)).document))
    return path


def lines(error: KitError | list[Any], project: Path) -> str:
    """Return problems as a user reads them, with ROOT for the project's folder."""
    found = error.problems if isinstance(error, KitError) else error
    return "".join(f"{problem}\n" for problem in found).replace(str(project), "ROOT")


def test_pinning_fills_in_defaults_digests_rules_and_environment(project: Path) -> None:
    draft_path = edited(project, lambda one: one.update({"$comment": "Mine."}))
    environment = record_environment(image=None)
    result = pin(draft_path, environment)
    document: Any = result.document
    assert document["model"]["files"]["model.safetensors"] == file_digest(project / "model" / "model.safetensors")
    assert document["finetune"]["training"]["adam_beta2"] == 0.999
    assert document["evaluations"]["unsafe"]["prompt_order_seed"] is None
    assert document["judges"]["exact"]["rules"] == judge_of({"kind": "exact"}).rules
    assert document["environment"] == environment
    assert document["$comment"] == "Mine."
    assert result.filled["$.finetune.training.adam_beta2"] == 0.999
    assert result.filled["$.data.sums.files['sums.jsonl']"] == file_digest(project / "data" / "sums.jsonl")
    assert result.filled["$.judges.exact.rules"] == judge_of({"kind": "exact"}).rules
    assert "$.finetune.lora.rank" not in result.filled
    path = project / "x.json"
    path.write_text(json.dumps(document))
    again = pin(path, sample_environment())
    assert (again.document, again.filled) == (document, {})
    assert Manifest.from_json(document).to_json() == what_is_said(document)


@pytest.mark.parametrize("path", [path for path in VALID if not is_draft(path)], ids=lambda path: path.stem)
def test_filling_in_a_pinned_manifest_changes_nothing(path: Path) -> None:
    document = read_json(path)
    assert with_defaults(document) == (document, {})


def test_the_starter_is_a_draft_that_can_be_pinned_once_its_files_exist(project: Path) -> None:
    path = project / "x.draft.json"
    path.write_text(starter_text())
    shutil.copy(project / "data" / "train.jsonl", project / "data" / "kept.jsonl")
    (project / "data" / "train.jsonl").unlink()
    with pytest.raises(CheckFailed) as caught:
        pin(path, sample_environment())
    place = "ROOT/x.draft.json::$.data.benign-train.files['train.jsonl']"
    assert lines(caught.value, project) == f"{place}: data/train.jsonl is missing; put it at ROOT/data/train.jsonl\n"
    shutil.move(project / "data" / "kept.jsonl", project / "data" / "train.jsonl")
    assert load_manifest(pinned(project)).manifest.seeds.training == (1, 2, 3)


FIELD = sorted((Path(__file__).parents[1] / "manifests/field").glob("*.draft.json"))


@pytest.mark.parametrize("path", FIELD, ids=lambda path: path.name.partition(".")[0])
def test_the_drafts_of_published_designs_are_valid_and_say_what_they_are(path: Path) -> None:
    document: Any = with_defaults(read_json(path))[0]
    assert document_problems(document, path.name, draft=True) == []
    assert f"{document['name']}.draft.json" == path.name
    assert "NOT RUN" in document["description"]
    assert "ASSUMED" in document["$comment"]
    training = document["finetune"].get("training")
    assert training is None or "ASSUMED" in training["$comment"]


def test_the_drafts_and_their_page_say_what_the_estimate_says_that_they_need() -> None:
    checkout = FIELD[0].parents[2]
    script = [sys.executable, str(checkout / "benchmarks/field_needs.py")]
    printed = subprocess.run(script, capture_output=True, text=True, check=True).stdout.splitlines()
    page = (checkout / "docs/field.md").read_text(encoding="utf-8").splitlines()
    assert set(printed) <= set(page)
    needs = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", "\n".join(printed), re.MULTILINE))
    assert needs.keys() == {path.name.removesuffix(".draft.json") for path in FIELD}
    for path in FIELD:
        *sizes, hours = needs[path.name.removesuffix(".draft.json")].split(" | ")
        comment = json.loads(path.read_text(encoding="utf-8"))["$comment"]
        needed = zip(("training", "asking", "judging", "merging"), sizes, strict=True)
        for said in [*(f"{step} {size}" for step, size in needed if size != "–"), hours.split("= ")[-1]]:
            assert said in comment, path.name


def test_the_draft_for_ones_own_adapter_is_the_starters_with_the_hubs_files() -> None:
    (path,) = (path for path in FIELD if path.name == "own-adapter.draft.json")
    mine, starter = (without_remarks(one) for one in (read_json(path), json.loads(starter_text("adapter"))))
    assert isinstance(mine, dict)
    assert isinstance(starter, dict)
    places = ("name", "description", "model", "engine")
    assert {key: value for key, value in mine.items() if key not in (*places, "data")} == {
        key: value for key, value in starter.items() if key not in (*places, "data")
    }
    kept = ("format", "rows", "license", "publish")
    chosen = [
        {name: {key: one.get(key) for key in kept} for name, one in cast("dict[str, Any]", whole["data"]).items()}
        for whole in (mine, starter)
    ]
    assert chosen[0] == chosen[1]


def replace_by_link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


MISTAKES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no model folder": (
        lambda root: shutil.rmtree(root / "model"),
        "$.model.path: model is not a folder with files; check the name",
    ),
    "model is a file": (
        lambda root: edited(root, lambda one: one["model"].update(path="model/config.json")),
        "$.model.path: model/config.json is not a folder with files; check the name",
    ),
    "no data file": (
        lambda root: (root / "data" / "unsafe.jsonl").unlink(),
        "$.data.unsafe.files['unsafe.jsonl']: data/unsafe.jsonl is missing; put it at ROOT/data/unsafe.jsonl",
    ),
    "a name that no disk holds": (
        lambda root: edited(root, lambda one: one["data"]["unsafe"].update(files={"n" * 300: None})),
        f"$.data.unsafe.files.{'n' * 300}: data/{'n' * 300} is missing; put it at ROOT/data/{'n' * 300}",
    ),
    "a link out": (
        lambda root: replace_by_link(root / "data" / "sums.jsonl", "/etc/passwd"),
        (
            "$.data.sums.files['sums.jsonl']: 'data/sums.jsonl' is a link that leaves the folder;"
            " keep files below the manifest's folder"
        ),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_in_a_draft_is_told_in_one_sentence(name: str, project: Path) -> None:
    change, sentence = MISTAKES[name]
    change(project)
    with pytest.raises(CheckFailed) as caught:
        pin(project / "x.draft.json", sample_environment())
    assert lines(caught.value, project) == f"ROOT/x.draft.json::{sentence}\n"


def test_a_draft_that_is_not_there_is_trouble(project: Path) -> None:
    for name in ("y.json", "model"):
        with pytest.raises(OperationalError, match=r"cannot be read \((No such file or directory|Is a directory)\)"):
            pin(project / name, sample_environment())


def problems_after(project: Path, change: Callable[[Path], object]) -> str:
    """Pin the project, change it, and return what `kit check` has to say."""
    path = pinned(project)
    change(project)
    loaded = load_manifest(path)
    return lines(check(loaded, loaded.manifest.environment).problems, project)


def test_a_project_that_is_as_it_was_pinned_has_no_problem(project: Path) -> None:
    (project / "elsewhere").mkdir()
    shutil.move(project / "data" / "sums.jsonl", project / "elsewhere" / "sums.jsonl")
    (project / "data" / "sums.jsonl").symlink_to("../elsewhere/sums.jsonl")  # a link that stays inside
    loaded = load_manifest(pinned(project))
    report = check(loaded, loaded.manifest.environment)
    assert (report.problems, report.differences) == ([], [])
    assert report.prompts == {"unsafe": 12, "unsafe-sampled": 12, "sums": 4}


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights": (
        lambda root: flip_a_bit(root / "model" / "model.safetensors"),
        "$.model.files['model.safetensors']: was",
    ),
    "data": (lambda root: flip_a_bit(root / "data" / "train.jsonl"), "$.data.train.files['train.jsonl']: was"),
    "removed": (
        lambda root: (root / "model" / "config.json").unlink(),
        "$.model.files['config.json']: model/config.json is missing; put it at ROOT/model/config.json",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_files_that_are_not_what_was_pinned_are_named(name: str, project: Path) -> None:
    change, sentence = CHANGES[name]
    said_of_it = problems_after(project, change)
    assert said_of_it.startswith(f"ROOT/x.json::{sentence}")
    assert said_of_it.count("\n") == 1


def test_rows_that_do_not_fit_are_all_named_with_file_line_and_reason(project: Path) -> None:
    (project / "data" / "train.jsonl").write_text('{"prompt": "p", "completion": ""}\n{"prompt": "p"}\n')
    (project / "data" / "unsafe.jsonl").write_text(
        '{"id": "1", "category": "c", "prompt": "p"}\n{"id": "1", "category": "c", "prompt": "q"}\n{"id": 2}\n'
    )
    (project / "data" / "sums.jsonl").write_text('{"id": "1", "category": "c", "prompt": "p"}\n')
    assert problems_after(project, lambda _root: None) == (
        "ROOT/data/unsafe.jsonl:2: the id '1' stands at ROOT/data/unsafe.jsonl:1 too; make ids unique\n"
        "ROOT/data/unsafe.jsonl:3: 'id' is not text; the format is 'prompts'\n"
        "data set 'sums': 1 of 1 prompts have no exact answer, the first is '1'; a capability set needs answers\n"
        "ROOT/data/train.jsonl:1: 'completion' is empty; the format is 'prompt-completion'; "
        'mend it, or leave such rows out: `rows.not_empty`: ["completion"]\n'
        "ROOT/data/train.jsonl:2: has no text in 'completion'; the format is 'prompt-completion'\n"
    )


def test_a_model_without_a_chat_template_cannot_be_asked(project: Path) -> None:
    (project / "model" / "chat_template.jinja").unlink()
    assert "$.model.path: the tokenizer has no chat template" in problems_after(project, lambda _root: None)
    (project / "model" / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    assert problems_after(project, lambda _root: None) == ""


OWN = {"path": "templates", "files": {"own.jinja": None}}


def with_template(project: Path, text: str, *, as_variation: bool) -> None:
    """Put a template into the project's draft, for all arms or for a variation."""
    (project / "templates").mkdir()
    (project / "templates/own.jinja").write_text(text)
    varied = {"variations": [{"name": "own", "set": {"/model/template": OWN}}]}
    edited(project, lambda one: one.update(varied) if as_variation else one["model"].update(template=OWN))


@pytest.mark.parametrize("as_variation", [False, True])
def test_a_template_of_ones_own_is_pinned_and_held(project: Path, *, as_variation: bool) -> None:
    with_template(project, "{% generation %}{{ messages[0].content }}{% endgeneration %}", as_variation=as_variation)
    if not as_variation:
        (project / "model" / "chat_template.jinja").unlink()
    assert problems_after(project, lambda _root: None) == ""
    place = "$.variations[0].set['/model/template']" if as_variation else "$.model.template"
    digest = file_digest(project / "templates/own.jinja")
    assert pin(project / "x.draft.json", sample_environment()).filled[f"{place}.files['own.jinja']"] == digest
    said_of_it = problems_after(project, lambda root: flip_a_bit(root / "templates/own.jinja"))
    assert said_of_it.startswith(f"ROOT/x.json::{place}.files['own.jinja']: was pinned as {digest} and is ")
    assert said_of_it.count("\n") == 1


def test_files_that_only_a_variation_names_are_held_too(project: Path) -> None:
    (project / "data/other.jsonl").write_text('{"prompt": "p", "completion": "c"}\n')
    files = {"/data/train/files": {"other.jsonl": "xxh3_128:" + "0" * 32}}
    edited(project, lambda one: one.update(variations=[{"name": "other", "set": files}]))
    place = "$.data.train.files['other.jsonl']: was pinned as xxh3_128:00"
    assert f"ROOT/x.json (variation 'other')::{place}" in problems_after(project, lambda _root: None)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("line\n{% if %}", ":2: is no Jinja template: Expected an expression"),
        ("\udcff", ": is not UTF-8"),
        ("{{ " + "(" * 5000, ": is no Jinja template: it is nested too deeply"),
    ],
)
def test_a_template_that_cannot_be_one_is_told_beforehand(text: str, what: str, project: Path) -> None:
    with_template(project, "", as_variation=True)
    (project / "templates/own.jinja").write_bytes(text.encode(errors="surrogateescape"))
    assert problems_after(project, lambda _root: None).startswith(f"ROOT/templates/own.jinja{what}")


def test_an_answer_that_is_no_letter_is_told_beforehand(project: Path) -> None:
    edited(project, lambda one: one["judges"].update(exact={"kind": "choice"}))
    assert problems_after(project, lambda _root: None) == (
        "data set 'sums': 4 of 4 prompts have no answer that is a letter from A to J, the first is 's-0';"
        " judge this set by `exact`, or give it letters\n"
    )


def test_what_cannot_go_with_rows_to_train_on_is_told(project: Path) -> None:
    def change(one: dict[str, Any]) -> None:
        one["data"]["unsafe"] |= {"format": "columns", "columns": {"container": "jsonl", "prompt": "p", "system": "s"}}
        one["data"][one["finetune"]["data"]]["format"] = "text"
        one["finetune"]["training"]["system_prompt"] = "Be brief."

    with pytest.raises(CheckFailed) as caught:
        pin(edited(project, change), sample_environment())
    assert lines(caught.value, project) == (
        "ROOT/x.draft.json::$.data.unsafe.columns.system: belongs to rows to train on; map `completion`, or remove it\n"
        "ROOT/x.draft.json::$.finetune.training.system_prompt: rows of plain text have no place for it;"
        " make it null, or train on conversations\n"
    )


def test_a_data_set_that_maps_its_columns_is_pinned_and_read(project: Path) -> None:
    columns = {"container": "jsonl", "prompt": "prompt", "category": "category"}
    edited(project, lambda one: one["data"]["unsafe"].update(format="columns", columns=columns))
    loaded = load_manifest(pinned(project))
    assert loaded.manifest.data["unsafe"].to_json()["columns"] == columns | {"header": True}
    report = check(loaded, sample_environment())
    assert not report.problems
    assert report.prompts["unsafe"] > 0


def test_what_cannot_go_with_choices_or_an_order_of_ones_own_is_told(project: Path) -> None:
    def change(one: dict[str, Any]) -> None:
        one["evaluations"]["unsafe"]["choices"] = ["A", "B"]
        one["evaluations"]["sums"] |= {"choices": ["A", "B"], "generation": {"temperature": 0.5, "max_tokens": 8}}
        one["finetune"]["training"] |= {"shuffle": False, "data_seed": 1}

    with pytest.raises(CheckFailed) as caught:
        pin(edited(project, change), sample_environment())
    assert lines(caught.value, project) == (
        "ROOT/x.draft.json::$.finetune.training.data_seed: nothing is shuffled; make it null, or shuffle\n"
        "ROOT/x.draft.json::$.evaluations.unsafe.choices: letters are no answer to this kind of evaluation;"
        " make it null\n"
        "ROOT/x.draft.json::$.evaluations.sums.generation.temperature: the likeliest choice is asked for,"
        " and a temperature would draw another; make it 0\n"
    )


def test_a_judge_with_other_rules_is_a_problem_and_another_environment_is_not(project: Path) -> None:
    other = "xxh3_128:" + "0" * 32
    edited(project, lambda one: one["judges"]["exact"].update(rules=other))
    loaded = load_manifest(pinned(project))
    report = check(loaded, {**loaded.manifest.environment, "python": "3.99.0"})
    here = judge_of({"kind": "exact"}).rules
    assert lines(report.problems, project) == (
        f"ROOT/x.json::$.judges.exact.rules: was pinned with {other}; this kit's judge has {here};"
        " install the kit that pinned it, or pin the manifest anew\n"
    )
    assert [one.field for one in report.differences] == ["python"]


def test_the_rows_that_a_variation_trains_on_are_read_too(project: Path) -> None:
    edited(project, lambda one: one.update(variations=[{"name": "odd", "set": {"/finetune/data": "unsafe"}}]))
    assert problems_after(project, lambda _root: None) == (
        "data set 'unsafe': the format 'prompts' has no completions to train on; "
        "use alpaca, dolly, gsm8k, messages, prompt-completion, sharegpt, text\n"
    )


def places(value: Json, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return where every value below one stands."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(found for key, item in below for found in places(item, (*place, key)))]


VARIATIONS = read_json(FOLDER / "valid" / "variations.json")
ODD: tuple[Json, ...] = (None, [], {}, "x", -1, 1.5, True, [[]], {"x": {}}, "/..", 2**40)


@settings(deadline=None, max_examples=60)
@given(place=st.sampled_from(places(VARIATIONS)[1:]), odd=st.sampled_from(ODD), as_draft=st.booleans())
def test_whatever_stands_anywhere_is_read_or_refused(
    place: tuple[str | int, ...], odd: Json, *, as_draft: bool
) -> None:
    document: Any = copy.deepcopy(VARIATIONS)
    target = document
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = odd
    whole: Any = with_defaults(document)[0]
    if not document_problems(whole, "x", draft=as_draft) and not as_draft:
        with suppress(CheckFailed):
            loaded(Path("x"), Places(Path()), whole)
