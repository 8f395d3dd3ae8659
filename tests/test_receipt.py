"""Receipts: what a reviewer signs of a rerun, and what a reader is told of it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from sample_bundle import usual_verdict, write_sample

from kit.bundle import layout
from kit.bundle.archive import write_zip
from kit.bundle.signing import dsse
from kit.bundle.signing.fixed import FixedSigner
from kit.bundle.signing.keys import generate_key
from kit.bundle.signing.public_key import fingerprint, ssh_line
from kit.bundle.signing.seal import seal
from kit.bundle.signing.signers import Signers, read_signers
from kit.cli import group
from kit.core.canonical import canonical_json
from kit.core.errors import CheckFailed, KitError, OperationalError
from kit.core.rows import Verdict
from kit.review.diff.grade import Grade
from kit.review.receipt import Receipt, check_receipt, make_receipt, read_receipt
from kit.review.redact.bundle import Options, redact
from kit.review.redact.commitment import RedactionKey
from kit.review.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AUTHOR, REVIEWER = FixedSigner(1), FixedSigner(2)
THEM = fingerprint(REVIEWER.public_key)
TIME = "2026-11-21T10:00:00Z"


def write_rerun(folder: Path, signer: FixedSigner = REVIEWER, **changes: Any) -> Path:
    write_sample(folder, **changes)
    run = folder / layout.RUN
    run.write_text(run.read_text().replace("2026-11-02", "2026-11-03"))
    seal(folder, signer)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("receipts")
    seal(write_sample(folder / "a"), AUTHOR)
    write_rerun(folder / "b")
    write_rerun(
        folder / "worse",
        verdict=lambda cell, prompt: Verdict.COMPLIANCE if cell.evaluation == "unsafe" else usual_verdict(cell, prompt),
    )
    write_zip(folder / "a", folder / "a.zip")
    return folder


def receipt_of(folder: Path, b: str = "b", signer: FixedSigner = REVIEWER) -> tuple[Receipt, bytes]:
    return make_receipt(folder / "a", folder / b, signer, required=Grade.TOKENS, margin=None, time=TIME)


@pytest.fixture(scope="module")
def envelope(folder: Path) -> bytes:
    return receipt_of(folder)[1]


def test_a_receipt_tells_who_ran_a_bundle_again_and_with_which_grade(folder: Path, tmp_path: Path) -> None:
    receipt, data = receipt_of(folder)
    (tmp_path / "receipt").write_bytes(data)
    for bundle in ("a", "a.zip"):
        found = check_receipt(tmp_path / "receipt", verify(folder / bundle), None)
        assert found.receipt == receipt
    assert found.sentence() == (
        f"rerun by {THEM}, whom you have not named: grade bitwise, where at least tokens was required"
    )
    known = check_receipt(tmp_path / "receipt", verify(folder / "a"), Signers({THEM: "r@b.org"}, {}))
    assert f"rerun by {THEM}, whom you named (r@b.org): grade bitwise" in known.sentence()
    with pytest.raises(CheckFailed, match="is not a key that you named"):
        check_receipt(
            tmp_path / "receipt", verify(folder / "a"), read_signers(ssh_line(AUTHOR.public_key), datetime.now(UTC))
        )


def test_a_receipt_is_a_standard_statement_about_the_signed_original(folder: Path, envelope: bytes) -> None:
    statement = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
    listed = subprocess.run(["sha256sum", folder / "a" / layout.STATEMENT], capture_output=True, text=True, check=True)
    name = "signatures/statement.dsse.json"
    assert statement["subject"] == [{"name": name, "digest": {"sha256": listed.stdout.split()[0]}}]
    assert statement["predicateType"] == "https://in-toto.io/attestation/svr/v0.2"
    predicate = statement["predicate"]
    assert set(predicate) - {key for key in predicate if key.startswith("kit_")} == {
        "verifier",
        "timeCreated",
        "properties",
    }
    assert predicate["properties"] == ["KIT_VERIFIED", "KIT_RERUN_AGREES"]
    assert predicate["verifier"]["policies"][0]["annotations"] == {"grade": "tokens", "margin": 0.1}
    assert predicate["kit_rerun"]["results_digest"] == verify(folder / "b").results_digest


def test_an_author_who_countersigns_and_a_rerun_by_a_third_are_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "receipt").write_bytes(receipt_of(folder, signer=AUTHOR)[1])
    said = check_receipt(tmp_path / "receipt", verify(folder / "a"), None).sentence()
    assert "whom you have not named, who signed the original too: grade" in said
    assert said.endswith(f"; the rerun is signed by {THEM}")


def test_a_receipt_is_about_one_bundle_as_it_was_signed(folder: Path, envelope: bytes, tmp_path: Path) -> None:
    (tmp_path / "receipt").write_bytes(envelope)
    resigned = shutil.copytree(folder / "a", tmp_path / "resigned")
    seal(resigned, FixedSigner(3))
    for other in (folder / "b", resigned):
        with pytest.raises(CheckFailed, match="receipt: is about another bundle"):
            check_receipt(tmp_path / "receipt", verify(other), None)


def test_what_is_no_rerun_gets_no_receipt(folder: Path, tmp_path: Path) -> None:
    resigned = shutil.copytree(folder / "a", tmp_path / "resigned")
    seal(resigned, REVIEWER)
    everything = Options(everything=True, without_adapters=False, anonymous=False)
    redact(folder / "a", tmp_path / "redacted", everything, key=RedactionKey(bytes(32)), signer=REVIEWER)
    for same in (folder / "a", resigned, tmp_path / "redacted"):
        with pytest.raises(CheckFailed, match="is the same run, not a rerun"):
            make_receipt(folder / "a", same, REVIEWER, required=Grade.TOKENS, margin=None, time=TIME)
    other = write_rerun(tmp_path / "other", per_category=3)
    with pytest.raises(CheckFailed, match="not the same experiment"):
        make_receipt(folder / "a", other, REVIEWER, required=Grade.TOKENS, margin=None, time=TIME)
    (other / layout.METRICS).write_bytes(b"{}")
    with pytest.raises(CheckFailed, match="was changed after signing"):
        make_receipt(folder / "a", other, REVIEWER, required=Grade.TOKENS, margin=None, time=TIME)


def test_no_flipped_bit_of_a_receipt_is_accepted(envelope: bytes) -> None:
    for position in range(len(envelope)):
        changed = bytearray(envelope)
        changed[position] ^= 1 << position % 8
        with pytest.raises(ValueError, match=r"."):
            read_receipt(bytes(changed))


def resigned(envelope: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return a receipt that says something else, signed as well as the first."""
    statement = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
    change(statement)
    return dsse.sign(canonical_json(statement), REVIEWER)


SAID: dict[str, Callable[[dict[str, Any]], object]] = {
    "another grade than its property": lambda s: s["predicate"].update(kit_grade="different"),
    "no such grade": lambda s: s["predicate"].update(kit_grade="perfect"),
    "a field more": lambda s: s["predicate"].update(kit_more=1),
    "another subject": lambda s: s["subject"][0]["digest"].update(sha256="0" * 64),
    "two subjects": lambda s: s["subject"].append(s["subject"][0]),
    "two policies": lambda s: s["predicate"]["verifier"]["policies"].append({}),
    "no policy": lambda s: s["predicate"]["verifier"].update(policies=[]),
    "margin as a truth value": lambda s: s["predicate"]["verifier"]["policies"][0]["annotations"].update(margin=True),
    "margin of none": lambda s: s["predicate"]["verifier"]["policies"][0]["annotations"].update(margin=0),
    "escape sequence for a version": lambda s: s["predicate"]["verifier"].update(kit_version="\x1b[2J"),
    "no time": lambda s: s["predicate"].update(timeCreated="today"),
    "another key": lambda s: s["predicate"]["verifier"].update(kit_public_key=ssh_line(AUTHOR.public_key)),
    "no key": lambda s: s["predicate"]["verifier"].update(kit_public_key="ssh-ed25519 AAAA"),
    "list for an object": lambda s: s.update(predicate=[]),
    "digest in capitals": lambda s: s["predicate"]["kit_rerun"].update(results_digest="sha256:" + "A" * 64),
    "no such time": lambda s: s["predicate"].update(timeCreated="2026-02-30T25:61:61Z"),
    "the original as its own rerun": lambda s: s["predicate"].update(kit_rerun=s["predicate"]["kit_original"]),
    "bitwise, with other results": lambda s: s["predicate"]["kit_rerun"].update(results_digest="sha256:" + "0" * 64),
    "the same results, and not bitwise": lambda s: s["predicate"].update(kit_grade="tokens"),
    "a policy that anything meets": lambda s: s["predicate"]["verifier"]["policies"][0]["annotations"].update(
        grade="incomparable"
    ),
    "another type": lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"),
}


@pytest.mark.parametrize("name", SAID)
def test_a_receipt_has_one_form(name: str, envelope: bytes) -> None:
    read_receipt(resigned(envelope, lambda _: None))
    with pytest.raises(ValueError, match=r"."):
        read_receipt(resigned(envelope, SAID[name]))


HOSTILE = [
    b"",
    b"{}",
    b"[]",
    b"\xff",
    b"[" * 50_000,
    b'{"payload":"e30=","payloadType":"x","signatures":[{"sig":""}]}',
    bytes(1 << 17),
]


@pytest.mark.parametrize("data", HOSTILE)
def test_what_is_no_receipt_is_a_finding(data: bytes, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "receipt").write_bytes(data)
    with pytest.raises(CheckFailed, match=r"receipt: "):
        check_receipt(tmp_path / "receipt", verify(folder / "a"), None)
    with pytest.raises(OperationalError, match="cannot be read"):
        check_receipt(tmp_path / "none", verify(folder / "a"), None)


def kit(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(group, list(map(str, arguments)))
    if isinstance(result.exception, KitError):
        return result.exception.exit_code, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_the_command_line_signs_and_checks_receipts(folder: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    mine = fingerprint(generate_key(key, "").public_key)
    a, b = folder / "a", folder / "b"
    code, said = kit("receipt", a, b, "--key", key, "--out", tmp_path / "good")
    assert (code, f"receipt: {tmp_path}/good, signed by {mine}" in said) == (0, True)
    code, said = kit("verify", a, "--receipt", tmp_path / "good", "--reviewer", f"{key}.pub")
    assert (code, f"rerun by {mine}, whom you named: grade bitwise" in said) == (0, True)
    code, said = kit("receipt", a, folder / "worse", "--key", key, "--out", tmp_path / "bad", "--json")
    assert (code, json.loads(said)["grade"]) == (1, "different")
    code, said = kit("verify", a, "--receipt", tmp_path / "bad", "--json")
    assert (code, json.loads(said)["receipt"]["agrees"]) == (1, False)
    assert kit("verify", a, "--receipt", tmp_path / "bad")[0] == 1
    code, said = kit("receipt", a, b, "--key", key, "--out", tmp_path / "good")
    assert (code, "exists already" in said) == (2, True)
