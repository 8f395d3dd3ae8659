"""What a paper carries, and what can be said of it without the bundle.

A manifest is attached with the bytes that its file has: what comes out is what its author wrote, remarks included, and
`sha256sum` of both is the same. Of a bundle, the manifest, the signed statement and the public key are attached: the
statement lists the manifest, so neither can be exchanged alone. Whose key it is, a PDF can say no more than a bundle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.bundle.archive import open_bundle
from kit.bundle.files import open_file
from kit.bundle.papers.attachment import MANIFEST, MAX_BYTES, PUBLIC_KEY, STATEMENT, Attachment, attachment
from kit.bundle.signing import dsse
from kit.bundle.signing.integrity import check_integrity
from kit.bundle.signing.public_key import fingerprint, from_pem
from kit.bundle.signing.statement import read_statement
from kit.core.canonical import parse_json
from kit.core.digests import both_digests
from kit.core.errors import CheckFailed, Problem
from kit.spec.manifest.load import checked_manifest
from kit.spec.manifest.places import Places

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kit.bundle.signing.statement import Claim
    from kit.spec.manifest.load import LoadedManifest

_BUNDLE_FILES = {MANIFEST: layout.MANIFEST, STATEMENT: layout.STATEMENT, PUBLIC_KEY: layout.PUBLIC_KEY}
_AGAIN = "get the paper again from its source, or attach again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A manifest, or what a bundle's signer said of its results, in which everything is right."""

    files: Mapping[str, bytes]
    """By the name of the attachment."""
    manifest: LoadedManifest
    results_digest: str | None = None
    """As signed; None where there is a manifest alone."""
    fingerprint: str | None = None

    @property
    def attachments(self) -> list[Attachment]:
        """Return it as a PDF holds it."""
        return [attachment(name, data) for name, data in self.files.items()]

    def footnote(self) -> str:
        """Return the line that a paper prints, should a publisher drop the attachments."""
        if self.results_digest:
            return f"results digest: {self.results_digest}, signed by {self.fingerprint}"
        return f"manifest: sha256:{self.manifest_sha256}"

    @property
    def manifest_sha256(self) -> str:
        """Return the SHA-256 of the manifest's file, as `sha256sum` prints it."""
        return both_digests(self.files[MANIFEST]).sha256


def of_manifest(path: Path) -> Evidence:
    """Return a pinned manifest as evidence.

    Raises:
        CheckFailed: it is not a valid, pinned manifest.
        OperationalError: it cannot be read.
    """
    return _checked({MANIFEST: _read(path)}, {MANIFEST: path}, Places(path.parent))


def of_bundle(path: Path) -> Evidence:
    """Return what is attached of a bundle, whose integrity is checked first.

    Raises:
        CheckFailed: the bundle is not what was signed.
        OperationalError: it cannot be read.
    """
    with open_bundle(path) as folder:
        check_integrity(folder)
        places = {name: folder / file for name, file in _BUNDLE_FILES.items()}
        return _checked({name: _read(place) for name, place in places.items()}, places, Places(folder))


def of_attachments(found: Sequence[Attachment], paper: Path, places: Places) -> Evidence:
    """Return what came out of a PDF; the files that the manifest names lie in `places`.

    Raises:
        CheckFailed: there is nothing, or not all that belongs together, or something was changed.
    """
    files = {one.name: one.data for one in found}
    if not files:
        remedy = "a publisher may have dropped it: compare the digest in the paper's text with the author's bundle"
        raise CheckFailed.of(paper, "carries no manifest of the kit", remedy)
    if files.keys() not in ({MANIFEST}, _BUNDLE_FILES.keys()):
        missing = sorted(_BUNDLE_FILES.keys() - files.keys())
        raise CheckFailed.of(
            paper, f"carries only a part of what was attached: {', '.join(missing)} is missing", _AGAIN
        )
    changed = [one.name for one in found if one != attachment(one.name, one.data)]
    if changed:
        raise CheckFailed(Problem(f"{paper}/{name}", "was changed after it was attached", _AGAIN) for name in changed)
    return _checked(files, {name: paper / name for name in files}, places)


def _checked(files: Mapping[str, bytes], shown: Mapping[str, Path], places: Places) -> Evidence:
    """Return the evidence that files are; `shown` says how problems call each of them."""
    place = shown[MANIFEST]
    manifest = checked_manifest(parse_json(files[MANIFEST], str(place)), place, places)
    if STATEMENT not in files:
        return Evidence(files=files, manifest=manifest)
    try:
        public_key = from_pem(files[PUBLIC_KEY])
        claim = read_statement(dsse.verify(files[STATEMENT], public_key))
    except ValueError as error:
        raise CheckFailed.of(shown[STATEMENT], str(error), _AGAIN) from error
    if not _covers(claim, files[MANIFEST], manifest):
        raise CheckFailed.of(place, "is not the manifest that the signed statement speaks of", _AGAIN)
    return Evidence(
        files=files, manifest=manifest, results_digest=claim.results_digest, fingerprint=fingerprint(public_key)
    )


def _covers(claim: Claim, data: bytes, manifest: LoadedManifest) -> bool:
    return claim.files.get(str(layout.MANIFEST)) == both_digests(data) and claim.manifest_digest == manifest.digest


def _read(path: Path) -> bytes:
    with open_file(path.resolve()) as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise CheckFailed.of(path, f"is larger than {MAX_BYTES} bytes", "attach the manifest alone")
    return data
