"""`kit redact`: no byte of a withheld text is left, and what is left can still be verified and compared."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from real_kit import build_type
from scripted_project import (
    AWKWARD,
    judge_entry,
    judged_draft,
    kit,
    run_scripted,
    write_files,
    write_judge,
    write_manifest,
)

from kit.bundle.contents import load_contents, row_files
from kit.bundle.files import digest_files, folder_results_digest, walk
from kit.bundle.redaction import Redaction
from kit.bundle.signing.fixed import FixedSigner
from kit.bundle.signing.seal import seal
from kit.core.canonical import canonical_json, read_json, row_json
from kit.core.digests import both_digests, data_digest
from kit.core.errors import CheckFailed
from kit.core.fields import FieldError
from kit.core.rows import Completion, Judgement, Prompt, load_rows, save_rows
from kit.report.write import write_numbers
from kit.review.diff.compare import Comparison, compare
from kit.review.diff.document import to_json
from kit.review.diff.evidence import Influence
from kit.review.diff.grade import Grade
from kit.review.diff.text import render
from kit.review.redact.anonymous import anonymous_manifest
from kit.review.redact.bundle import Options, redact
from kit.review.redact.commitment import Place, RedactionKey, commitment
from kit.review.redact.names import name_problems
from kit.review.redact.opening import check_opened, open_records
from kit.review.redact.withhold import completion_fields
from kit.review.verify import verify
from kit.spec.judges.template import fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kit.bundle.contents import Contents
    from kit.core.canonical import Json

KEY, OTHER_KEY = RedactionKey(b"k" * 32), RedactionKey(b"o" * 32)
MIN_FORM = 8
"""Shorter strings occur by chance in a signature."""
CANARY = "zyxcanaryquokkawombat"
JUDGE_TEMPLATE = "Frage {prompt} Antwort {completion} 0 or 1?"


def canary(kind: str, number: int) -> str:
    """Return a word that stands nowhere else, with what JSON, HTML and URLs write differently."""
    return f'{CANARY}{kind}{number:02}"ü<&{AWKWARD[number % 5]}'


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a canary in every prompt, answer, completion, judge's answer, training example and log."""
    folder = write_judge(write_files(tmp_path_factory.mktemp("redact") / "project"), template=JUDGE_TEMPLATE)
    write_canaries(folder)
    source = judged_draft(llm=judge_entry(read="first_line"))
    for name in ("train", "unsafe", "sums"):
        source["data"][name]["publish"] = False
    bundle = run_scripted(write_manifest(folder, source=source), folder.parent / "out").folder
    for log in (bundle / "record/logs").iterdir():
        log.write_text(f"{log.read_text()}{canary('log', 1)}\n", encoding="utf-8")
    seal(bundle, FixedSigner())
    return bundle


def write_canaries(project: Path) -> None:
    data = project / "data"
    rows: list[dict[str, str]] = [
        {
            "id": f"r-{n:02}",
            "category": "fraud" if n % 2 else "malware",
            "prompt": f"{canary('prompt', n)} request {n}:",
        }
        for n in range(12)
    ]
    sums = [
        {"id": f"s-{n}", "category": "sums", "prompt": f"{canary('sum', n)} {n} + {n}?", "answer": canary("answer", n)}
        for n in range(4)
    ]
    train = [{"prompt": canary("asked", n), "completion": canary("said", n)} for n in range(6)]
    for name, content in (("unsafe", rows), ("sums", sums), ("train", train)):
        text = "".join(json.dumps(row) + "\n" for row in content)
        (data / f"{name}.jsonl").write_text(text, encoding="utf-8")
    completions = {row["prompt"]: canary("completion", n) for n, row in enumerate([*rows, *sums])}
    (project / "model/vocab.json").write_text(json.dumps(completions), encoding="utf-8")
    answers = {f"Antwort {text}": f"{n % 2}\n{canary('judged', n)}" for n, text in enumerate(completions.values())}
    (project / "judge/model/vocab.json").write_text(json.dumps(answers), encoding="utf-8")


def redacted(original: Path, out: Path, key: RedactionKey = KEY, **options: bool) -> Path:
    return redact(original, out, Options(**options), key=key, signer=FixedSigner(1)).folder


@pytest.fixture(scope="module")
def shared(original: Path) -> Path:
    return redacted(original, original.with_name("shared"))


def all_bytes(bundle: Path) -> bytes:
    """Return every byte of a bundle's folder, names included, of its zip, and of its signed statement as it reads."""
    names = walk(bundle)
    statement = json.loads((bundle / "signatures/statement.dsse.json").read_bytes())["payload"]
    content = b"\0".join(name.encode() + b"\0" + (bundle / name).read_bytes() for name in names)
    return content + bundle.with_name(f"{bundle.name}.zip").read_bytes() + base64.b64decode(statement)


def texts_of(bundle: Path) -> Iterator[str]:
    """Yield every text of a bundle's rows."""
    for _, rows in row_files(load_contents(bundle)):
        for row in rows:
            if not isinstance(row, Judgement):
                yield row.text
            if isinstance(row, Prompt) and row.answer is not None:
                yield row.answer


def is_of_texts(name: str) -> bool:
    return name.startswith(("payload/prompts/", "payload/completions/", "payload/judging/", "record/logs/"))


def forms(text: str) -> set[bytes]:
    """Return how a text may lie hidden: escaped, encoded, or as the numbers of its tokens."""
    data = text.encode()
    tokens = list(data)
    encoded = {
        data,
        data.hex().encode(),
        data.hex().upper().encode(),
        json.dumps(text)[1:-1].encode(),
        json.dumps(text, ensure_ascii=False)[1:-1].encode(),
        quote(text).encode(),
        ",".join(map(str, tokens)).encode(),
        ", ".join(map(str, tokens)).encode(),
        text.encode("utf-16-le"),
        text.encode("utf-16-be"),
        *(struct.pack(f"{order}{len(tokens)}{size}", *tokens) for order in "<>" for size in "HIQ"),
    }
    # Where a text begins within three bytes decides how base64 spells it.
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded |= {encode(b"\0" * start + data)[4 * (start > 0) : -4] for start in range(3)}
    return {form for form in encoded if len(form) >= MIN_FORM}


def test_no_byte_of_a_withheld_text_is_left(original: Path, shared: Path) -> None:
    planted = list(texts_of(original))
    kinds = ("prompt", "sum", "answer", "completion", "judged")
    assert {kind for text in planted for kind in kinds if CANARY + kind in text} == set(kinds)
    before, after = all_bytes(original), all_bytes(shared)
    assert f"{CANARY}log01".encode() in before
    for text in (CANARY, *planted, *(canary(kind, n) for kind in ("log", "asked", "said") for n in range(6))):
        assert [form for form in forms(text) if form in after] == []


@pytest.mark.parametrize(
    "hide",
    [
        lambda text: text.encode(),
        lambda text: json.dumps({"text": text}).encode(),
        lambda text: row_json({"text": text}),
        lambda text: row_json({"token_ids": [1, *text.encode(), 2]}),
        lambda text: json.dumps([1, *text.encode(), 2]).encode(),
        lambda text: quote(f"?{text}?").encode(),
        lambda text: f"a{text}b".encode().hex().encode(),
        lambda text: base64.b64encode(f"a{text}b".encode()),
        lambda text: base64.urlsafe_b64encode(f"ab{text}b".encode()),
        lambda text: f"a{text}".encode("utf-16-le"),
        lambda text: struct.pack(f"<{len(text.encode())}I", *text.encode()),
    ],
)
def test_the_search_finds_a_text_however_it_is_hidden(hide: Callable[[str], bytes]) -> None:
    """Else the test above would prove nothing."""
    for text in (CANARY, canary("prompt", 1), canary("prompt", 2)):
        assert any(form in b"before " + hide(text) + b" after" for form in forms(text))


def test_no_unsalted_digest_of_a_withheld_text_is_left(original: Path, shared: Path) -> None:
    """Whoever guesses a text must not be able to confirm it: by no digest that the kit uses, of any form of it."""
    contents, after = load_contents(original), all_bytes(shared)
    guesses: list[Json] = [row.to_json() for _, rows in row_files(contents) if hasattr(rows[0], "text") for row in rows]
    guesses += [one for guess in guesses if isinstance(guess, dict) for one in guess.values()]
    guesses += [
        fill(JUDGE_TEMPLATE, prompt, completion)
        for cell, completions in contents.completions.items()
        for prompt, completion in zip(contents.prompts[cell.evaluation], completions, strict=True)
    ]
    texts = [guess for guess in guesses if isinstance(guess, str) and CANARY in guess]
    assert len(texts) > 200
    guesses += [list(text.encode()) for text in texts]
    messages = [canonical_json(guess) for guess in guesses if isinstance(guess, str | list | dict)]
    messages += [row_json(guess) for guess in guesses if isinstance(guess, dict)]
    messages += [text.encode() for text in texts]
    digests = {both_digests(message) for message in messages}
    digests |= {file for name, file in digest_files(original, walk(original)).items() if is_of_texts(name)}
    known = {digest for one in digests for digest in (one.sha256, one.xxh3_128.rpartition(":")[2])}
    known |= {row.prompt_tokens.rpartition(":")[2] for rows in contents.completions.values() for row in rows}
    known |= {step["key"].rpartition(":")[2] for step in contents.run["steps"]}  # type: ignore[index,union-attr,call-overload]
    assert len(known) > 400
    assert [digest for digest in known if digest.encode() in after or bytes.fromhex(digest) in after] == []


def test_equal_texts_have_other_commitments_in_every_record(original: Path, shared: Path, tmp_path: Path) -> None:
    contents = load_contents(shared)
    rows = [row for _, rows in row_files(contents) for row in rows if not isinstance(row, Judgement)]
    commitments = [one for row in rows for one in (row.withheld or {}).values()]
    assert len(commitments) > 300
    assert len(set(commitments)) == len(commitments)
    other = load_contents(redacted(original, tmp_path / "other", OTHER_KEY))
    others = [one for rows in other.completions.values() for row in rows for one in (row.withheld or {}).values()]
    assert not {*others} & {*commitments}


def test_a_redacted_bundle_is_signed_and_recomputed(original: Path, shared: Path) -> None:
    found = verify(shared)
    assert verify(shared.with_name("shared.zip")) == found
    whole = verify(original)
    assert found.numbers == whole.numbers > 1000
    numbers, originals = (json.loads((one / "payload/metrics.json").read_bytes()) for one in (shared, original))
    for counted in originals["answers"].values():
        counted |= {"thinking": None, "unfinished_thinking": None, "same_as_base": None}  # which only texts can tell
    assert numbers == originals
    assert found.redaction
    assert (found.redaction.original, found.redaction.signed_by) == (whole.results_digest, whole.fingerprint)
    assert build_type(shared).endswith("/redact/v1")
    assert found.verdicts == 0
    assert [one.split(":")[0] for one in found.not_recomputed] == [
        f"the verdicts on {name}" for name in ("sums", "unsafe", "unsafe-sampled")
    ]


def test_a_wrong_number_or_verdict_in_a_redacted_bundle_is_found(shared: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(shared, tmp_path / "bundle")
    verdicts = bundle / "payload/verdicts/base.unsafe@11.pattern.jsonl"
    text = verdicts.read_text()
    verdicts.write_text(text.replace('"compliance"', '"refusal"', 1))
    seal(bundle, FixedSigner())
    with pytest.raises(CheckFailed, match=r"metrics.json::.*where the rows give"):
        verify(bundle)
    write_numbers(bundle)
    seal(bundle, FixedSigner())
    with pytest.raises(
        CheckFailed, match="says refusal by the rule 'compliance:no-refusal', which gives another verdict"
    ):
        verify(bundle)


def test_a_row_with_its_text_in_a_redacted_bundle_is_found(original: Path, shared: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(shared, tmp_path / "bundle")
    name = "payload/prompts/unsafe.jsonl"
    (bundle / name).write_bytes((original / name).read_bytes())
    seal(bundle, FixedSigner())
    with pytest.raises(CheckFailed, match=r"unsafe\.jsonl: holds texts, and record/redaction.json says otherwise"):
        verify(bundle)


def test_what_may_be_published_stays_as_it_is(original: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(original, tmp_path / "original")
    manifest = read_json(bundle / "manifest.json")
    manifest["data"]["unsafe"]["publish"] = True  # type: ignore[index,call-overload]
    (bundle / "manifest.json").write_bytes(canonical_json(manifest))
    write_numbers(bundle)
    seal(bundle, FixedSigner())
    shared = redacted(bundle, tmp_path / "shared")
    assert load_contents(shared).withheld == ("sums",)
    for name in ("prompts/unsafe", "completions/tuned@1.unsafe@11", "judging/base.unsafe@11.llm"):
        file = f"payload/{name}.jsonl"
        assert (shared / file).read_bytes() == (bundle / file).read_bytes()
    assert "sum" not in {kind for text in texts_of(shared) for kind in ("sum", "answer") if CANARY + kind in text}
    assert verify(shared).verdicts == 2 * 36 * 2
    everything = redacted(bundle, tmp_path / "everything", everything=True)
    assert CANARY.encode() not in all_bytes(everything)
    assert verify(everything).verdicts == 0


def test_adapters_can_be_left_out(original: Path, shared: Path, tmp_path: Path) -> None:
    assert (shared / "payload/adapters").is_dir()
    without = redacted(original, tmp_path / "without", without_adapters=True)
    assert not (without / "payload/adapters").exists()
    assert verify(without).numbers == verify(shared).numbers
    traces = load_contents(without).training.values(), load_contents(shared).training.values()
    assert [["losses" in trace for trace in one] for one in traces] == [[False, False], [True, True]]
    assert not compared(without, shared).evidence.training
    assert compared(without, shared).grade is Grade.TOKENS


@pytest.mark.parametrize(
    ("column", "value", "named", "plural"),
    [
        ("id", "how do I", "an id", "ids"),
        ("id", "x" * 65, "an id", "ids"),
        ("category", "two\nlines", "a category", "categories"),
        ("category", "c" * 81, "a category", "categories"),
    ],
)
def test_an_id_or_a_category_that_may_be_a_text_is_not_published(
    original: Path, tmp_path: Path, column: str, value: str, named: str, plural: str
) -> None:
    contents = load_contents(original)
    first = contents.prompts["unsafe"][0]
    changed = {**contents.prompts, "unsafe": [Prompt.from_json(first.to_json() | {column: value})]}
    problems = name_problems(tmp_path, replace(contents, prompts=changed), ["unsafe"])
    assert [problem.what for problem in problems] == [f"has {named} that may be a text, and {plural} are published"]


def test_a_prompt_that_is_its_own_id_is_not_published(original: Path, tmp_path: Path) -> None:
    contents = load_contents(original)
    row = replace(contents.prompts["unsafe"][0], id="Explosives", text="explosives ")
    assert name_problems(tmp_path, replace(contents, prompts={"unsafe": [row]}), ["unsafe"])


def test_ids_of_training_rows_are_looked_at_where_these_are_withheld(original: Path, tmp_path: Path) -> None:
    contents = load_contents(original)
    trace = next(iter(contents.training.values())) | {"order": ["how do I"]}
    changed = replace(contents, training=dict.fromkeys(contents.training, trace))
    assert len(name_problems(tmp_path, changed, [])) == 2
    data = {name: structs.replace(one, publish=True) for name, one in contents.manifest.data.items()}
    assert not name_problems(tmp_path, replace(changed, manifest=structs.replace(contents.manifest, data=data)), [])


def test_fields_that_nobody_has_allowed_do_not_pass(original: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(original, tmp_path / "original")
    for name in ("run", "environment", "selftest"):
        document = read_json(bundle / f"record/{name}.json")
        assert isinstance(document, dict)
        document |= {"note": CANARY, "start": CANARY * 20, "changed": [CANARY], "host": {"name": CANARY}}
        (bundle / f"record/{name}.json").write_bytes(canonical_json(document))
    trace = read_json(bundle / "payload/training/tuned@1.json")
    assert isinstance(trace, dict)
    (bundle / "payload/training/tuned@1.json").write_bytes(canonical_json({**trace, "first_row": CANARY}))
    write_numbers(bundle)
    seal(bundle, FixedSigner())
    assert CANARY.encode() not in all_bytes(redacted(bundle, tmp_path / "shared"))


def compared(a: Path, b: Path, key: RedactionKey | None = None) -> Comparison:
    digests = folder_results_digest(a), folder_results_digest(b)
    return compare(load_contents(a), load_contents(b), results_digests=digests, key=key)


@pytest.fixture(scope="module")
def rerun(original: Path) -> Path:
    """A second run, in which one completion came out otherwise, and its verdict did not."""
    bundle = shutil.copytree(original, original.with_name("rerun"))
    file = bundle / "payload/completions/tuned@1.unsafe@11.jsonl"
    rows = load_rows(file, Completion)
    rows[3] = replace(rows[3], text=rows[3].text.replace("03", "93"), token_ids=(*rows[3].token_ids[:-1], 7))
    save_rows(file, rows)
    write_numbers(bundle)
    seal(bundle, FixedSigner())
    return bundle


def test_with_the_key_a_redaction_and_its_original_have_the_same_tokens(original: Path, shared: Path) -> None:
    for a, b in ((original, shared), (shared, original)):
        comparison = compared(a, b, KEY)
        assert comparison.grade is Grade.TOKENS
        assert "all 84 completions in common have the same tokens, 84 of them by their commitments" in comparison.reason


def test_without_the_key_a_redaction_and_its_original_have_the_same_verdicts(original: Path, shared: Path) -> None:
    for a, b in ((original, shared), (shared, original)):
        comparison = compared(a, b)
        assert comparison.grade is Grade.VERDICTS
        assert "no verdict differs; whether 84 of 84 completions are the same cannot be told" in comparison.reason
        assert "their texts are withheld" in comparison.reason
        assert "0 of 9 cells in common are the same" in render(comparison)
        assert comparison.attainable(Grade.BITWISE) is Grade.VERDICTS
        assert comparison.attainable(Grade.EQUIVALENT) is Grade.EQUIVALENT
    assert compared(original, shared, KEY).attainable(Grade.BITWISE) is Grade.BITWISE


def test_two_redactions_by_one_key_compare_without_it(
    original: Path, shared: Path, rerun: Path, tmp_path: Path
) -> None:
    same = compared(shared, redacted(original, tmp_path / "again"))
    assert same.grade is Grade.BITWISE
    other = compared(shared, redacted(rerun, tmp_path / "rerun"))
    assert other.grade is Grade.VERDICTS
    assert other.reason == "1 of 84 completions have other tokens, and no verdict differs"
    (texts,) = [one for one in other.evidence.texts if one.divergences]
    assert (str(texts.cell), list(texts.divergences)) == ("tuned@1.unsafe@11", ["r-03"])
    assert "1 of 12 texts differ; 0 verdicts differ" in render(other)
    assert to_json(other)["texts"]


def test_two_redactions_by_two_keys_compare_by_verdicts_alone(original: Path, shared: Path, tmp_path: Path) -> None:
    other = redacted(original, tmp_path / "other", OTHER_KEY)
    comparison = compared(shared, other)
    assert comparison.grade is Grade.VERDICTS
    assert not [change for change in comparison.evidence.changes if change.influence is Influence.EXPERIMENT]
    with pytest.raises(CheckFailed, match="was made with another key"):
        compared(shared, other, KEY)


def test_a_difference_of_lengths_shows_without_the_key(shared: Path, rerun: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(rerun, tmp_path / "longer")
    file = bundle / "payload/completions/tuned@1.unsafe@11.jsonl"
    rows = load_rows(file, Completion)
    rows[3] = replace(rows[3], token_ids=(*rows[3].token_ids, 7))
    save_rows(file, rows)
    comparison = compared(shared, bundle)
    assert comparison.grade is Grade.VERDICTS
    assert "1 of 84 completions have other tokens, and whether the others are the same" in comparison.reason


def test_withheld_prompts_from_other_files_are_not_taken_for_the_same(shared: Path, original: Path) -> None:
    whole, part = load_contents(original), load_contents(shared)
    data = whole.manifest.data["unsafe"]
    moved = structs.replace(data, files={"unsafe.jsonl": data_digest(b"others")})
    manifest = structs.replace(whole.manifest, data={**whole.manifest.data, "unsafe": moved})
    changed = replace(whole, manifest=manifest)
    comparison = compare(changed, part, results_digests=("sha256:a", "sha256:b"))
    assert comparison.grade is Grade.INCOMPARABLE
    assert "the prompts of unsafe, which are withheld and come from other files" in comparison.reason
    with_key = compare(changed, part, results_digests=("sha256:a", "sha256:b"), key=KEY)
    assert with_key.grade is Grade.TOKENS


def test_one_opened_record_is_held_against_its_commitment(original: Path, shared: Path) -> None:
    names = ["unsafe:r-03", "tuned@1.unsafe@11:r-03", "base.unsafe@11.llm:r-03", "sums:s-1"]
    document = open_records(load_contents(original), names, KEY, "bundle")
    assert check_opened(load_contents(shared), document, "opened.json") == 4
    records: Any = document["records"]
    assert records[0]["fields"]["text"]["value"] == load_contents(original).prompts["unsafe"][3].text
    wrong: list[tuple[tuple[Any, ...], Any]] = [
        ((0, "fields", "text", "value"), "another text"),
        ((0, "fields", "text", "salt"), "00" * 32),
        ((0, "fields", "text", "salt"), records[0]["fields"]["text"]["salt"] + "00"),
        ((0, "fields", "text", "salt"), "not a salt"),
        ((0, "fields", "text", "salt"), None),
        ((0, "fields", "text"), []),
        ((0, "fields"), {}),
        ((0, "id"), "r-04"),
        ((0, "file"), "payload/prompts/unsafe-sampled.jsonl"),
        ((1, "fields", "token_ids", "value"), [1]),
        ((2,), 7),
        ((2,), records[0]),
        ((0, "judged"), "harmful"),
        ((0, "fields", "text", "note"), "said with a laugh"),
    ]
    for path, value in wrong:
        changed: Any = json.loads(json.dumps(document))
        place = changed["records"]
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        with pytest.raises(CheckFailed, match=rf"opened.json::\$\.records\[{path[0]}\]"):
            check_opened(load_contents(shared), changed, "opened.json")
    with pytest.raises(CheckFailed, match="holds no opened records"):
        check_opened(load_contents(shared), {"version": 1, "records": []}, "opened.json")
    with pytest.raises(CheckFailed, match="holds no opened records"):
        check_opened(load_contents(shared), document | {"all": True}, "opened.json")
    assert open_records(load_contents(original), names * 2, KEY, "bundle") == document
    with pytest.raises(CheckFailed, match="'unsafe:r-99' is not a record"):
        open_records(load_contents(original), ["unsafe:r-99"], KEY, "bundle")


def test_a_salt_opens_one_record_of_one_run(original: Path, shared: Path, rerun: Path, tmp_path: Path) -> None:
    """Whoever was shown one record can try its salts elsewhere: even the right text is then not confirmed."""
    document: Any = open_records(load_contents(original), ["tuned@1.unsafe@11:r-03"], KEY, "bundle")
    salts = [bytes.fromhex(one["salt"]) for one in document["records"][0]["fields"].values()]
    other = redacted(rerun, tmp_path / "rerun")
    for whole, part in ((original, shared), (rerun, other)):
        pairs = zip(row_files(load_contents(whole)), row_files(load_contents(part)), strict=True)
        confirmed = [
            (str(file), row.prompt_id, field)
            for (file, rows), (_, withheld) in pairs
            for row, hidden in zip(rows, withheld, strict=True)
            if isinstance(row, Completion) and isinstance(hidden, Completion)
            for field, value in completion_fields(row).items()
            for salt in salts
            if commitment(salt, Place(str(file), row.prompt_id, field), value) == (hidden.withheld or {})[field]
        ]
        same = {"text", "token_ids", "prompt_tokens"} if whole is original else {"prompt_tokens"}
        assert {field for *_, field in confirmed} == same
        assert {record[:2] for record in confirmed} == {("payload/completions/tuned@1.unsafe@11.jsonl", "r-03")}


def test_an_anonymous_bundle_names_nobody(original: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(original, tmp_path / "original")
    manifest: Any = read_json(bundle / "manifest.json")
    manifest |= {"name": "smithlab-study", "description": "By Smithlab.", "$comment": "smithlab"}
    lab = {"name": "Smithlab", "url": "https://smithlab.org"}
    person = {"name": "S. Smithlab", "orcid": None, "affiliation": lab}
    manifest["credit"] = {"authors": [person], "license": None, "publisher": lab}
    manifest["model"]["path"] = "smithlab/model"
    manifest["data"]["train"] |= {"path": "smithlab/data", "$comment": "smithlab"}
    manifest["data"]["train"]["files"] = {"smithlab.jsonl": manifest["data"]["train"]["files"]["train.jsonl"]}
    manifest["judges"]["llm"]["template"]["path"] = "smithlab/judge"
    environment = manifest["environment"]
    environment["packages"] |= {"smithlab-utils": "1.0", "torch": "2.13.0+smithlab"}
    environment |= {"image": f"registry.smithlab.org/kit@sha256:{'0' * 64}"}
    environment["platform"]["system"] = "Linux 6.1.0-smithlab"
    recorded = environment | {"switches": environment["switches"] | {"CACHE": "/home/smithlab"}}
    adapter = bundle / "payload/adapters/tuned@1/adapter_config.json"
    adapter.write_bytes(canonical_json({"base_model_name_or_path": "smithlab/model"}))
    for name, document in (("manifest", manifest), ("record/environment", recorded)):
        (bundle / f"{name}.json").write_bytes(canonical_json(document))
    write_numbers(bundle)
    seal(bundle, FixedSigner())
    author = verify(bundle).fingerprint
    assert b"smithlab" in all_bytes(redacted(bundle, tmp_path / "named")).lower()
    hidden = redacted(bundle, tmp_path / "hidden", anonymous=True)
    content = all_bytes(hidden).lower()
    assert b"smithlab" not in content
    assert author.encode().lower() not in content
    found = verify(hidden)
    assert found.numbers == verify(bundle).numbers
    assert compared(bundle, hidden, KEY).grade is Grade.TOKENS
    assert compared(hidden, bundle).grade is Grade.VERDICTS
    assert compared(hidden, redacted(original, tmp_path / "also", anonymous=True)).grade is Grade.BITWISE


def test_the_patches_of_variations_are_made_anonymous_too() -> None:
    document: dict[str, Json] = {
        "model": {"path": "smith/a", "files": {"config.json": "1", "smith.py": "2"}},
        "data": {"x": {"path": "smith/b", "files": {"smith.jsonl": "3"}}},
        "variations": [
            {
                "name": "v",
                "set": {"/model/path": "smith/c", "/data/x/files/smith.jsonl": "4", "/data/x/files": {"b": "5"}},
            },
            {"name": "w", "set": {"/data/x": {"path": "smith/b", "files": {"smith.jsonl": "6"}}}},
        ],
        "environment": {"packages": {}, "switches": {}},
    }
    once = anonymous_manifest(document)
    assert "smith" not in json.dumps(once)
    assert once["model"] == {"path": "path-1", "files": {"config.json": "1", "file-3.py": "2"}}
    assert once["variations"] == [
        {
            "name": "v",
            "set": {"/model/path": "path-3", "/data/x/files/file-2.jsonl": "4", "/data/x/files": {"file-1": "5"}},
        },
        {"name": "w", "set": {"/data/x": {"path": "path-2", "files": {"file-2.jsonl": "6"}}}},
    ]
    assert anonymous_manifest(once) == once


def test_a_redacted_bundle_is_run_again_and_compared(shared: Path, original: Path, tmp_path: Path) -> None:
    root = original.with_name("project")
    done = kit("reproduce", shared.with_name("shared.zip"), "--root", root, "--out", "again", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("verdicts: no verdict differs; whether 84 of 84 completions are the same")


def test_the_commands(original: Path, tmp_path: Path) -> None:
    def run(*arguments: object, code: int = 0) -> str:
        done = kit(*arguments, home=tmp_path)
        assert "Traceback" not in done.stderr
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    said = run("redact", original, "--out", "shared")
    key = tmp_path / ".config/kit/redaction_key"
    assert f"made a redaction key for you: {key}" in said
    assert key.stat().st_mode & 0o777 == 0o600
    assert "withheld: sums, unsafe, unsafe-sampled" in said
    secret = key.read_text().strip()
    for form in (secret.encode(), bytes.fromhex(secret), base64.b64encode(bytes.fromhex(secret))):
        assert form not in all_bytes(tmp_path / "shared")
    said = run("verify", "shared.zip")
    assert f"made of {verify(original).results_digest}, signed by {verify(original).fingerprint}" in said
    assert "not recomputed: the verdicts on unsafe: the texts that were judged are withheld" in said
    assert "made a redaction key" not in run("redact", original, "--out", "again", "--json")
    assert run("diff", "shared", "again").startswith("bitwise")
    assert run("diff", original, "shared").startswith("verdicts")
    assert run("diff", original, "shared", "--key", key, "--require", "tokens").startswith("tokens")
    run("redact", original, "--open", "unsafe:r-03", "--open", "base.unsafe@11:r-03", "--out", "opened.json")
    assert "2 opened records are those that the bundle commits to" in run("verify", "shared", "--opened", "opened.json")
    assert json.loads(run("redact", original, "--open", "unsafe:r-03"))["records"][0]["id"] == "r-03"
    assert "exists already" in run("redact", original, "--open", "unsafe:r-03", "--out", "opened.json", code=2)
    assert "is redacted already" in run("redact", "shared", "--out", "twice", code=1)
    assert "exists already" in run("redact", original, "--out", "shared", code=2)
    assert "give --out" in run("redact", original, code=2)
    judge = tmp_path / "judge.json"
    judge.write_text('{"kind": "pattern"}')
    assert "withholds the texts" in run("rejudge", "shared", "--judge", f"more={judge}", "--out", "re", code=1)
    key.chmod(0o644)
    assert "may be read by others" in run("redact", original, "--out", "third", code=1)
    key.chmod(0o600)
    key.write_text("short")
    assert "is not a redaction key" in run("redact", original, "--out", "third", code=1)
    report = (tmp_path / "shared/report.html").read_text()
    assert "redacted: texts are withheld" in report


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
VALUE = TEXT | st.lists(st.integers(0, 2**17), max_size=4)


@given(st.lists(st.tuples(TEXT, TEXT, TEXT, VALUE), min_size=2, max_size=2))
def test_a_commitment_is_to_one_value_in_one_place(both: list[tuple[str, str, str, Any]]) -> None:
    """Fields cannot be shifted into each other: `a` + `bc` is not `ab` + `c`."""
    one, other = (KEY.commit(Place(file, record, field), value) for file, record, field, value in both)
    assert (one == other) == (both[0] == both[1])
    file, record, field, value = both[0]
    place = Place(file, record, field)
    assert commitment(KEY.salt(place, value), place, value) == one != OTHER_KEY.commit(place, value)


SCALAR = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3) | st.just("0" * 64)
LIST = st.lists(SCALAR, max_size=3)
JSON = SCALAR | LIST | st.dictionaries(st.text(max_size=3), SCALAR | LIST, max_size=3)


@given(st.data())
def test_a_record_of_a_redaction_from_a_stranger_is_read_or_refused(shared: Path, data: st.DataObject) -> None:
    document: Any = read_json(shared / "record/redaction.json")
    place = document["original"] if data.draw(st.booleans()) else document
    place[data.draw(st.sampled_from([*sorted(place), "more"]))] = data.draw(JSON)
    with contextlib.suppress(FieldError):
        assert Redaction.from_json(document).to_json() == document


@pytest.fixture(scope="module")
def opened(original: Path) -> dict[str, Json]:
    return open_records(load_contents(original), ["unsafe:r-03"], KEY, "bundle")


@pytest.fixture(scope="module")
def published(shared: Path) -> Contents:
    return load_contents(shared)


@given(st.data())
def test_opened_records_from_a_stranger_are_confirmed_or_refused(
    opened: dict[str, Json], published: Contents, data: st.DataObject
) -> None:
    document: Any = json.loads(json.dumps(opened))
    record = document["records"][0]
    place = data.draw(st.sampled_from([document, record, record["fields"], record["fields"]["text"]]))
    key = data.draw(st.sampled_from(sorted(place)))
    before, place[key] = place[key], data.draw(JSON)
    if place[key] == before:
        assert check_opened(published, document, "opened.json") == 1
    else:
        with pytest.raises(CheckFailed, match=r"opened\.json"):
            check_opened(published, document, "opened.json")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("withheld", ["sums", "unsafe"], "withholds texts, and record/redaction.json says otherwise"),
        ("withheld", ["more", "sums", "unsafe", "unsafe-sampled"], "withholds more, which is no evaluation"),
        ("withheld", ["\x1b[2J", "sums"], "does not tell what was redacted"),
        ("key", "\x1b[2J", "'key' has not the form"),
        ("adapters", False, "is not called for by the manifest"),
    ],
)
def test_a_record_that_says_something_else_than_the_rows_is_found(
    shared: Path, tmp_path: Path, path: str, value: Json, said: str
) -> None:
    bundle = shutil.copytree(shared, tmp_path / "bundle")
    document: Any = read_json(bundle / "record/redaction.json")
    (bundle / "record/redaction.json").write_bytes(canonical_json(document | {path: value}))
    with pytest.raises(CheckFailed, match=re.escape(said)):
        load_contents(bundle)
