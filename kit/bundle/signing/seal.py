"""Sealing: the signatures that go with a finished bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.bundle.crate import crate_metadata
from kit.bundle.files import digest_files, walk
from kit.bundle.signing import dsse, sshsig
from kit.bundle.signing.public_key import fingerprint, to_pem
from kit.bundle.signing.sigstore import sigstore_bundle
from kit.bundle.signing.statement import claim_of, write_statement
from kit.core.canonical import canonical_json, read_json
from kit.core.errors import OperationalError
from kit.spec.manifest.load import load_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path, PurePosixPath

    from kit.bundle.signing.interface import Signer
    from kit.core.digests import FileDigests
    from kit.spec.manifest.load import LoadedManifest


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a signed bundle is known by: two lines for a paper's footnote."""

    results_digest: str
    fingerprint: str


def seal(folder: Path, signer: Signer, loaded: LoadedManifest | None = None) -> Sealed:
    """Sign a bundle's folder: write its `ro-crate-metadata.json` and `signatures/`, in place of those that it may have.

    Args:
        folder: of the bundle.
        signer: who signs.
        loaded: the manifest that the caller has put there; another is read and validated.

    Raises:
        CheckFailed: the folder holds what a bundle cannot hold, or no valid manifest.
        OperationalError: it cannot be read or written.
    """
    loaded = loaded or load_manifest(folder / layout.MANIFEST)
    crate = canonical_json(crate_metadata(folder, loaded.manifest))
    _write(folder, {layout.CRATE: crate})
    files = digest_files(folder, signed_names(walk(folder)))
    claim = claim_of(files, loaded.digest)
    run = read_json(folder / layout.RUN)
    statement = write_statement(claim, loaded.manifest, run if isinstance(run, dict) else {})
    sums = sums_text(files)
    envelope = dsse.sign(canonical_json(statement), signer)
    signatures = {
        layout.STATEMENT: envelope,
        layout.SIGSTORE: sigstore_bundle(envelope, signer.public_key),
        layout.SUMS: sums,
        layout.SUMS_SIGNATURE: sshsig.sign(sums, signer).encode(),
        layout.PUBLIC_KEY: to_pem(signer.public_key),
    }
    _write(folder, signatures)
    return Sealed(claim.results_digest, fingerprint(signer.public_key))


def _write(folder: Path, files: Mapping[PurePosixPath, bytes]) -> None:
    try:
        for name, data in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
    except OSError as error:
        raise OperationalError.of(error.filename, f"cannot be written ({error.strerror})") from error


def signed_names(names: Mapping[str, int]) -> list[str]:
    """Return which of a bundle's files a signature covers: all but the signatures."""
    return [name for name in names if not name.startswith(f"{layout.SIGNATURES}/")]


def sums_text(files: Mapping[str, FileDigests]) -> bytes:
    """Return the lines that `sha256sum --check` reads, in the order of the paths."""
    return "".join(f"{file.sha256}  {name}\n" for name, file in sorted(files.items())).encode()
