"""Integrity: whether a bundle is what was signed, to the byte, and which key signed it.

Two signatures by one key cover the same closed list, so that two kinds of standard client can check it; they must
agree. Only then is the list compared with the tree, and what differs is named file by file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.bundle.files import digest_files, open_file, results_digest, walk
from kit.bundle.signing import dsse, sshsig
from kit.bundle.signing.public_key import fingerprint, to_pem
from kit.bundle.signing.seal import signed_names, sums_text
from kit.bundle.signing.sigstore import sigstore_bundle
from kit.bundle.signing.statement import read_statement
from kit.core.canonical import MAX_BYTES
from kit.core.digests import FileDigests, both_digests
from kit.core.errors import CheckFailed, OperationalError, Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path, PurePosixPath

    from kit.bundle.signing.statement import Claim

_SIGNATURES = (layout.STATEMENT, layout.SIGSTORE, layout.SUMS, layout.SUMS_SIGNATURE, layout.PUBLIC_KEY)
_AGAIN = "get the bundle again from its source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intact:
    """A bundle that is what was signed."""

    claim: Claim
    fingerprint: str
    """Of the key that signed; whose key that is, the bundle cannot say."""
    statement_digest: str
    """SHA-256 of `signatures/statement.dsse.json`: of this bundle as this key signed it."""


def check_integrity(folder: Path) -> Intact:
    """Compare a folder with its signatures.

    Raises:
        CheckFailed: something was changed, added, removed or renamed after signing; all problems at once.
        OperationalError: the folder cannot be read.
    """
    names = walk(folder)
    _check_signature_files(folder, names)
    public_key = _check_sums(folder)
    claim = _check_statement(folder, public_key)
    files = _digests(folder, {name: names[name] for name in signed_names(names)}, claim)
    problems = list(_differences(folder, claim.files, files))
    problems += _contradictions(folder, claim, public_key)
    if not problems and results_digest(files) != claim.results_digest:
        problems.append(Problem(f"{folder}/{layout.STATEMENT}", "states a results digest that is not the payload's"))
    if problems:
        raise CheckFailed(problems)
    statement_digest = f"sha256:{both_digests(_read(folder, layout.STATEMENT)).sha256}"
    return Intact(claim=claim, fingerprint=fingerprint(public_key), statement_digest=statement_digest)


def _check_signature_files(folder: Path, names: Collection[str]) -> None:
    expected = set(map(str, _SIGNATURES))
    found = {name for name in names if name.startswith(f"{layout.SIGNATURES}/")}
    if not found:
        raise CheckFailed.of(folder / layout.SIGNATURES, "is missing: this is not a signed bundle")
    problems = [Problem(f"{folder}/{name}", "is missing", _AGAIN) for name in sorted(expected - found)]
    problems += [Problem(f"{folder}/{name}", "was added after signing", _AGAIN) for name in sorted(found - expected)]
    if problems:
        raise CheckFailed(problems)


def _digests(folder: Path, sizes: Mapping[str, int], claim: Claim) -> dict[str, FileDigests]:
    """Read the files that can be what was signed: of another size than all of those, a file is not worth its bytes."""
    signed = {file.size for file in claim.files.values()}
    read = digest_files(folder, [name for name, size in sizes.items() if size in signed])
    return {name: read.get(name, FileDigests(size, "", "")) for name, size in sizes.items()}


def _check_sums(folder: Path) -> bytes:
    """Return the key that signed `SHA256SUMS`."""
    sums, signature = _read(folder, layout.SUMS), _read(folder, layout.SUMS_SIGNATURE)
    try:
        return sshsig.verify(sums, signature)
    except ValueError as error:
        # Of the two, blame the one that is malformed, or that does not say what the statement says.
        if sshsig.is_one(signature) and sums != _stated_sums(folder):
            raise CheckFailed.of(folder / layout.SUMS, "is not what was signed", _AGAIN) from error
        raise CheckFailed.of(folder / layout.SUMS_SIGNATURE, str(error), _AGAIN) from error


def _stated_sums(folder: Path) -> bytes | None:
    """Return the sums that the statement would give, whoever signed it; None where it is none."""
    try:
        return sums_text(read_statement(dsse.unverified_payload(_read(folder, layout.STATEMENT))).files)
    except (ValueError, CheckFailed):
        return None


def _check_statement(folder: Path, public_key: bytes) -> Claim:
    envelope = _read(folder, layout.STATEMENT)
    try:
        payload = dsse.verify(envelope, public_key)
    except ValueError as error:
        what = f"{error}; that key made {layout.SUMS_SIGNATURE}"
        raise CheckFailed.of(folder / layout.STATEMENT, what, _AGAIN) from error
    try:
        return read_statement(payload)
    except ValueError as error:
        raise CheckFailed.of(folder / layout.STATEMENT, str(error), _AGAIN) from error


def _contradictions(folder: Path, claim: Claim, public_key: bytes) -> Iterator[Problem]:
    """Yield where the files beside the statement do not say the same as it."""
    if _read(folder, layout.SUMS) != sums_text(claim.files):
        yield Problem(f"{folder}/{layout.SUMS}", f"lists other files than {layout.STATEMENT}", _AGAIN)
    if _read(folder, layout.SIGSTORE) != sigstore_bundle(_read(folder, layout.STATEMENT), public_key):
        yield Problem(f"{folder}/{layout.SIGSTORE}", f"does not say what {layout.STATEMENT} says", _AGAIN)
    if _read(folder, layout.PUBLIC_KEY) != to_pem(public_key):
        what = f"is not the key that signed: {layout.SUMS_SIGNATURE} is by another"
        yield Problem(f"{folder}/{layout.PUBLIC_KEY}", what, _AGAIN)


def _differences(
    folder: Path, signed: Mapping[str, FileDigests], found: Mapping[str, FileDigests]
) -> Iterator[Problem]:
    """Yield what happened to each file, and where its content comes from or went to if that can be seen."""
    origin = {file: name for name, file in signed.items()}
    moved = {origin[file]: name for name, file in found.items() if name not in signed and file in origin}
    for name in sorted({*signed, *found}):
        if name not in found:
            what = f"is missing: it was renamed to {moved[name]}" if name in moved else "is missing"
        elif signed.get(name) == found[name]:
            continue
        else:
            what = "was changed after signing" if name in signed else "was added after signing"
            if found[name] in origin:
                what += f"; it has the content of {origin[found[name]]}"
        yield Problem(f"{folder}/{name}", what, _AGAIN)


def _read(folder: Path, name: PurePosixPath) -> bytes:
    try:
        with open_file(folder / name) as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise OperationalError.of(folder / name, f"cannot be read ({error.strerror})") from error
    if len(data) > MAX_BYTES:
        raise CheckFailed.of(folder / name, f"is larger than {MAX_BYTES} bytes")
    return data
