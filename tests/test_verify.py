"""What `kit verify` promises: nothing changed goes unseen, and the numbers follow from the rows."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sample_bundle import write_metrics, write_sample

from kit.bundle import layout
from kit.bundle.archive import write_zip
from kit.bundle.contents import load_contents
from kit.bundle.files import folder_results_digest, walk
from kit.bundle.signing import dsse
from kit.bundle.signing.fixed import FixedSigner
from kit.bundle.signing.public_key import fingerprint, ssh_line, to_pem
from kit.bundle.signing.seal import seal
from kit.bundle.signing.signers import Signers
from kit.bundle.signing.sigstore import sigstore_bundle
from kit.core.canonical import canonical_json, parse_json, write_rows
from kit.core.errors import CheckFailed
from kit.report.html import render
from kit.review.verify import verify
from kit.spec.judges import judge_of
from kit.stats.metrics import compute

GUIDE = Path(__file__).parent.parent / "docs/verify-without-the-kit.md"
AUTHOR = FixedSigner()
METRICS = "payload/metrics.json"
UNSAFE = "payload/completions/tuned@1.unsafe@11.jsonl"
UNSAFE_2 = "payload/completions/tuned@2.unsafe@11.jsonl"

Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_sample(tmp_path_factory.mktemp("pristine") / "bundle")
    seal(folder, AUTHOR)
    return folder


@pytest.fixture
def bundle(pristine: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pristine, tmp_path / "bundle")


def edit(name: str, old: str, new: str) -> Change:
    def change(bundle: Path) -> None:
        text = (bundle / name).read_text(encoding="utf-8")
        assert old in text
        (bundle / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def problems_of(bundle: Path) -> str:
    with pytest.raises(CheckFailed) as caught:
        verify(bundle)
    return str(caught.value)


def test_an_untouched_bundle_is_intact_as_folder_and_as_zip(bundle: Path, tmp_path: Path) -> None:
    write_zip(bundle, tmp_path / "bundle.zip")
    found = verify(bundle)
    assert verify(tmp_path / "bundle.zip") == found
    assert found.results_digest == folder_results_digest(bundle)
    assert found.files == len(walk(bundle)) - 5
    assert found.numbers > 100


def test_integrity_and_identity_are_told_apart(bundle: Path) -> None:
    mine, other = fingerprint(AUTHOR.public_key), fingerprint(FixedSigner(1).public_key)
    assert verify(bundle).identity() == f"intact, signed by {mine}, whom you have not named"
    assert verify(bundle, Signers({other: "", mine: ""}, {})).identity() == f"intact, signed by {mine}, whom you named"
    named = Signers({mine: "author@example.org"}, {})
    assert verify(bundle, named).identity() == f"intact, signed by {mine}, whom you named (author@example.org)"
    with pytest.raises(CheckFailed, match=f"is signed by {re.escape(mine)}, which is not a key that you named"):
        verify(bundle, Signers({other: ""}, {}))
    with pytest.raises(CheckFailed, match=f"{re.escape(mine)}, whose key does not count: it was valid until 2020"):
        verify(bundle, Signers({other: ""}, {mine: "it was valid until 2020"}))


def test_sealing_again_gives_the_same_bytes(bundle: Path, pristine: Path, tmp_path: Path) -> None:
    seal(bundle, AUTHOR)
    for number, folder in enumerate((bundle, pristine)):
        write_zip(folder, tmp_path / f"{number}.zip")
    assert (tmp_path / "0.zip").read_bytes() == (tmp_path / "1.zip").read_bytes()


def test_a_flipped_bit_in_any_file_names_that_file(bundle: Path) -> None:
    for name, size in walk(bundle).items():
        data = (bundle / name).read_bytes()
        for position in {0, size // 3, size // 2, size - 1}:
            changed = bytearray(data)
            changed[position] ^= 1 << position % 8
            (bundle / name).write_bytes(changed)
            assert f"{bundle}/{name}: " in problems_of(bundle)
        (bundle / name).write_bytes(data)
    verify(bundle)


@pytest.mark.parametrize("name", [str(layout.SUMS_SIGNATURE), str(layout.PUBLIC_KEY)])
def test_no_byte_of_a_signature_file_is_without_meaning(name: str, bundle: Path) -> None:
    data = (bundle / name).read_bytes()
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        (bundle / name).write_bytes(changed)
        assert f"{bundle}/{name}: " in problems_of(bundle)


def swap(bundle: Path) -> None:
    first, second = bundle / UNSAFE, bundle / UNSAFE_2
    first.rename(bundle / "aside")
    second.rename(first)
    (bundle / "aside").rename(second)


def seal_as_another(bundle: Path) -> None:
    edit(UNSAFE, "stop", "pots")(bundle)
    (other := bundle.parent / "other").mkdir()
    shutil.copytree(bundle, other, dirs_exist_ok=True)
    seal(other, FixedSigner(1))
    for name in (layout.SUMS, layout.SUMS_SIGNATURE):
        shutil.copyfile(other / name, bundle / name)


TAMPERED: dict[str, tuple[Change, list[str]]] = {
    "added": (lambda path: (path / "payload/more.txt").touch(), ["payload/more.txt: was added after signing"]),
    "added signature": (lambda path: (path / "signatures/x").touch(), ["signatures/x: was added after signing"]),
    "removed": (lambda path: (path / UNSAFE).unlink(), [f"{UNSAFE}: is missing"]),
    "signature removed": (lambda path: (path / layout.STATEMENT).unlink(), [f"{layout.STATEMENT}: is missing"]),
    "unsigned": (lambda path: shutil.rmtree(path / "signatures"), ["is missing: this is not a signed bundle"]),
    "renamed": (
        lambda path: (path / UNSAFE).rename(path / "payload/b.jsonl"),
        [
            f"{UNSAFE}: is missing: it was renamed to payload/b.jsonl",
            f"payload/b.jsonl: was added after signing; it has the content of {UNSAFE}",
        ],
    ),
    "swapped": (
        swap,
        [
            f"{UNSAFE}: was changed after signing; it has the content of {UNSAFE_2}",
            f"{UNSAFE_2}: was changed after signing; it has the content of {UNSAFE}",
        ],
    ),
    "emptied": (lambda path: (path / UNSAFE).write_bytes(b""), [f"{UNSAFE}: was changed after signing"]),
    "report": (edit("record/run.json", "0.1.0", "0.1.1"), ["record/run.json: was changed after signing"]),
    "link": (lambda path: (path / "record/link").symlink_to("run.json"), ["record/link: is a link"]),
    "file made a link": (
        lambda path: (path / UNSAFE).symlink_to((path / UNSAFE).rename(path.parent / "x")),
        [f"{UNSAFE}: is a link"],
    ),
    "empty folder": (lambda path: (path / "payload/empty").mkdir(), ["payload/empty: is an empty folder"]),
    "half of another's signature": (seal_as_another, [f"{layout.STATEMENT}: is not the envelope that this key signed"]),
    "another key beside it": (
        lambda path: (path / layout.PUBLIC_KEY).write_bytes(to_pem(FixedSigner(1).public_key)),
        [f"{layout.PUBLIC_KEY}: is not the key that signed"],
    ),
    "Sigstore bundle of another": (
        edit(str(layout.SIGSTORE), "SHA256:", "SHA256:x"),
        [f"{layout.SIGSTORE}: does not say what {layout.STATEMENT} says"],
    ),
    "Sigstore bundle emptied": (
        lambda path: (path / layout.SIGSTORE).write_bytes(b""),
        [f"{layout.SIGSTORE}: does not say what {layout.STATEMENT} says"],
    ),
    "signature emptied": (lambda path: (path / layout.SUMS_SIGNATURE).write_bytes(b""), [f"{layout.SUMS_SIGNATURE}: "]),
    "statement emptied": (lambda path: (path / layout.STATEMENT).write_bytes(b"{}"), [f"{layout.STATEMENT}: "]),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_whatever_was_done_after_signing_is_named(name: str, bundle: Path) -> None:
    change, said = TAMPERED[name]
    change(bundle)
    found = problems_of(bundle)
    for sentence in said:
        assert sentence in found


def test_everything_that_was_changed_is_named_at_once(bundle: Path) -> None:
    names = [name for name in walk(bundle) if name.startswith("payload/")]
    for name in names:
        (bundle / name).write_bytes(b"x")
    found = problems_of(bundle)
    assert all(f"{bundle}/{name}: was changed after signing" in found for name in names)


def change_number(bundle: Path) -> None:
    edit(METRICS, '"n":12', '"n":13')(bundle)


VERDICTS = "payload/verdicts/tuned@1.unsafe@11.pattern.jsonl"
LIES: dict[str, tuple[Change, str]] = {
    "number": (change_number, f"{METRICS}::$.answers['base.unsafe@11'].n: says 13 where the rows give 12"),
    "number added": (edit(METRICS, "{", '{"a":1,'), f"{METRICS}::$.a: says 1 where the rows give nothing"),
    "metrics missing": (lambda path: (path / METRICS).unlink(), f"{METRICS}: is missing"),
    "verdict": (edit(VERDICTS, '"verdict":"compliance"', '"verdict":"refusal"'), f"{METRICS}::$.arms.tuned.unsafe"),
    "form": (edit("record/run.json", "{", "{ "), "record/run.json: is not in the form that the kit writes"),
    "form of rows": (edit(UNSAFE, "{", '{"a":1,'), f"{UNSAFE}: is not in the form that the kit writes"),
    "adapter": (
        lambda path: (path / "payload/adapters/tuned@1/adapter_model.safetensors").write_bytes(b"other"),
        "payload/training/tuned@1.json::$.weights: records other weights",
    ),
    "verdict of another kind": (edit(VERDICTS, "compliance", "correct"), "'correct' is not a verdict on a safety"),
    "file that nothing calls for": (
        lambda path: (path / "payload/x.json").write_text("{}"),
        "x.json: is not called for",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_a_good_signature_does_not_make_a_contradiction_true(name: str, bundle: Path) -> None:
    change, said = LIES[name]
    change(bundle)
    seal(bundle, AUTHOR)
    assert said in problems_of(bundle)


def judge_for_real(bundle: Path) -> None:
    """Let this kit's own judges judge a sample, and pin their rules."""
    document = parse_json((bundle / layout.MANIFEST).read_bytes(), "")
    assert isinstance(document, dict)
    document["judges"] = {
        kind: {"kind": kind, "rules": judge_of({"kind": kind}).rules} for kind in ("exact", "pattern")
    }
    (bundle / layout.MANIFEST).write_bytes(canonical_json(document))
    contents = load_contents(bundle)
    for cell, name in contents.verdicts:
        pairs = zip(contents.prompts[cell.evaluation], contents.completions[cell], strict=True)
        rows = [judge_of({"kind": name}).judge(prompt, completion).to_json() for prompt, completion in pairs]
        write_rows(bundle / layout.verdicts_file(cell, name), rows)
    write_metrics(bundle)


def test_verdicts_are_given_again_by_judges_whose_rules_are_known(bundle: Path) -> None:
    assert verify(bundle).verdicts == 0
    assert "the verdicts of pattern" in verify(bundle).unchecked[1]
    judge_for_real(bundle)
    seal(bundle, AUTHOR)
    assert verify(bundle).verdicts == sum(len(rows) for rows in load_contents(bundle).verdicts.values())
    assert verify(bundle).unchecked == ()


def test_a_verdict_that_its_judge_does_not_give_is_named_although_the_numbers_follow(bundle: Path) -> None:
    judge_for_real(bundle)
    edit("payload/verdicts/base.unsafe@11.pattern.jsonl", '"verdict":"refusal"', '"verdict":"compliance"')(bundle)
    write_metrics(bundle)
    seal(bundle, AUTHOR)
    assert re.search(r"base\.unsafe@11\.pattern\.jsonl:1: says compliance .* where the judge says", problems_of(bundle))


def commands(number: int) -> str:
    """Return one of the guide's blocks of commands."""
    blocks: list[str] = re.findall(r"^```sh\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return blocks[number]


def run(number: int, bundle: Path) -> subprocess.CompletedProcess[str]:
    line = ssh_line(AUTHOR.public_key)
    (bundle.parent / "author.pub").write_text(f"{line} author@example.org\n")
    (bundle.parent / "allowed_signers").write_text(f"author@example.org {line}\n")
    script = f"set -euo pipefail\n{commands(number)}"
    return subprocess.run(["bash", "-c", script], cwd=bundle, capture_output=True, text=True, check=False)


KNOWN, ANY, SUMS, BESIDE, PEM, OPENSSL, COSIGN, NPM, NODE, RESULTS = range(10)


def test_standard_tools_verify_a_bundle_as_the_guide_says(bundle: Path) -> None:
    mine = fingerprint(AUTHOR.public_key)
    assert f'Good "kit-bundle" signature for author@example.org with ED25519 key {mine}' in run(KNOWN, bundle).stdout
    assert f'Good "kit-bundle" signature with ED25519 key {mine}' in run(ANY, bundle).stdout
    for number in (SUMS, BESIDE):
        done = run(number, bundle)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run(PEM, bundle).returncode == 0
    assert (bundle.parent / "author.pem").read_bytes() == (bundle / layout.PUBLIC_KEY).read_bytes()
    assert "Signature Verified Successfully" in run(OPENSSL, bundle).stdout
    assert run(RESULTS, bundle).stdout.strip() == verify(bundle).results_digest
    assert len(re.findall("^```sh", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)) == 10


def test_standard_tools_refuse_what_was_changed(bundle: Path) -> None:
    run(PEM, bundle)
    edit(str(layout.SUMS), "manifest", "manitest")(bundle)
    assert "Could not verify signature" in run(KNOWN, bundle).stdout + run(KNOWN, bundle).stderr
    assert run(SUMS, bundle).returncode != 0
    (bundle / "added").touch()
    assert "added" in run(BESIDE, bundle).stdout
    seal(bundle, FixedSigner(1))
    assert run(KNOWN, bundle).returncode != 0
    assert run(OPENSSL, bundle).returncode != 0


@pytest.fixture
def beside_node_modules(bundle: Path) -> Path:
    """Give the bundle with Sigstore's client installed beside it, as `tests/run` got it."""
    modules = GUIDE.parents[1] / ".venv/sigstore/node_modules"
    if not modules.is_dir() or not shutil.which("node"):
        pytest.skip("Sigstore's client for Node is not installed; tests/run does it where there is npm")
    (bundle.parent / "node_modules").symlink_to(modules)
    return bundle


def test_sigstores_own_client_verifies_a_bundle_as_the_guide_says(beside_node_modules: Path) -> None:
    bundle = beside_node_modules
    run(PEM, bundle)
    done = run(NODE, bundle)
    assert (done.returncode, done.stdout) == (0, f"verified {verify(bundle).files} files\n"), done.stderr
    envelope = dsse.sign(b"{}", FixedSigner(1))
    (bundle / layout.SIGSTORE).write_bytes(sigstore_bundle(envelope, FixedSigner(1).public_key))
    done = run(NODE, bundle)
    assert done.returncode != 0
    assert "signature verification failed" in done.stderr


def test_signing_and_verifying_never_import_hashlib(bundle: Path, tmp_path: Path) -> None:
    script = f"""
import sys
from datetime import UTC, datetime
from pathlib import Path
from kit.bundle.archive import write_zip
from kit.bundle.signing.keys import generate_key
from kit.bundle.signing.seal import seal
from kit.bundle.signing.signers import read_signers
from kit.review.verify import verify
seal(Path({str(bundle)!r}), generate_key(Path({str(tmp_path / "key")!r}), ""))
write_zip(Path({str(bundle)!r}), Path({str(tmp_path / "x.zip")!r}))
verify(Path({str(tmp_path / "x.zip")!r}), read_signers({str(tmp_path / "key.pub")!r}, datetime.now(UTC)))
assert "hashlib" not in sys.modules
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parent.parent)


def test_a_report_that_says_something_else_is_found(tmp_path: Path) -> None:
    folder = write_sample(tmp_path / "bundle")
    contents = load_contents(folder)
    report = render(contents, compute(contents), results_digest=folder_results_digest(folder))
    (folder / layout.REPORT).write_text(report, encoding="utf-8", newline="\n")
    seal(folder, AUTHOR)
    verify(folder)
    shutil.rmtree(folder / layout.SIGNATURES)
    (folder / layout.REPORT).write_text(report.replace("refused", "accepted"), encoding="utf-8", newline="\n")
    seal(folder, AUTHOR)
    with pytest.raises(CheckFailed, match=r"report\.html: is not the report that the rows give"):
        verify(folder)
