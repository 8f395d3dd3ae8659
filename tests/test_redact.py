"""`kit redact`: no byte of a withheld text is left, and what is left can still be verified and compared."""

from __future__ import annotations

import base64
import json
import shutil
import struct
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from scripted_project import (
    AWKWARD,
    judge_entry,
    judged_draft,
    run_scripted,
    write_files,
    write_judge,
    write_manifest,
)

from kit.assemble import write_numbers
from kit.bundle.contents import load_contents, row_files
from kit.bundle.files import digest_files, walk
from kit.canonical import canonical_json, read_json, row_json
from kit.digests import both_digests
from kit.errors import Finding
from kit.judge.template import fill
from kit.redact.bundle import Options, redact
from kit.redact.commitment import RedactionKey
from kit.redact.names import name_problems
from kit.rows import Judgement, Prompt
from kit.signer.fixed import FixedSigner
from kit.signer.seal import seal
from kit.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kit.canonical import Json

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
    (project / "model/scripted_verdicts.json").write_text(json.dumps(completions), encoding="utf-8")
    answers = {f"Antwort {text}": f"{n % 2}\n{canary('judged', n)}" for n, text in enumerate(completions.values())}
    (project / "judge/model/scripted_verdicts.json").write_text(json.dumps(answers), encoding="utf-8")


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
    assert (shared / "payload/metrics.json").read_bytes() == (original / "payload/metrics.json").read_bytes()
    assert found.redaction
    assert (found.redaction.original, found.redaction.signed_by) == (whole.results_digest, whole.fingerprint)
    assert found.verdicts == 0
    assert [one.split(":")[0] for one in found.unchecked] == [
        f"the verdicts on {name}" for name in ("sums", "unsafe", "unsafe-sampled")
    ]


def test_a_wrong_number_or_verdict_in_a_redacted_bundle_is_found(shared: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(shared, tmp_path / "bundle")
    verdicts = bundle / "payload/verdicts/base.unsafe@11.pattern.jsonl"
    verdicts.write_text(verdicts.read_text().replace('"compliance"', '"refusal"', 1))
    seal(bundle, FixedSigner())
    with pytest.raises(Finding, match=r"metrics.json::.*where the rows give"):
        verify(bundle)


def test_a_row_with_its_text_in_a_redacted_bundle_is_found(original: Path, shared: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(shared, tmp_path / "bundle")
    name = "payload/prompts/unsafe.jsonl"
    (bundle / name).write_bytes((original / name).read_bytes())
    seal(bundle, FixedSigner())
    with pytest.raises(Finding, match=r"unsafe\.jsonl: holds texts, and record/redaction.json says otherwise"):
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
    without = redacted(original, tmp_path / "without", adapters=False)
    assert not (without / "payload/adapters").exists()
    assert verify(without).numbers == verify(shared).numbers


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
