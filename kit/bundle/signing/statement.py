"""What is signed: an in-toto Statement v1 with a SLSA provenance v1 predicate, extended by the kit's own fields.

The subjects are all files of the bundle. What SLSA asks for is filled in from the bundle alone, so the statement is a
function of the files that it covers. Names under `kit.invalid` identify, and never resolve (RFC 2606 section 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.bundle.files import results_digest
from kit.core import fields
from kit.core.canonical import canonical_json, parse_json
from kit.core.digests import PREFIX, FileDigests
from kit.core.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json
    from kit.spec.manifest.model import Manifest

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
_BUILD = "https://kit.invalid/build/"
REPRODUCE = f"{_BUILD}reproduce/v1"
"""One manifest in, one bundle out; the only external parameter is the manifest."""
MADE_OF_ANOTHER = {layout.REDACTION: f"{_BUILD}redact/v1", layout.REJUDGE: f"{_BUILD}rejudge/v1"}
"""One bundle in, named by this record of its own, and one bundle out: with the same manifest, or with judges added."""
BUILDER = "https://kit.invalid/builder/local"
"""Whoever holds the key ran the kit on their own machine: nobody else vouches for the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a statement says of a bundle."""

    files: dict[str, FileDigests]
    results_digest: str
    manifest_digest: str


def claim_of(files: Mapping[str, FileDigests], manifest_digest: str) -> Claim:
    """Return what is to be said of files with these digests."""
    return Claim(
        files=dict(sorted(files.items())), results_digest=results_digest(files), manifest_digest=manifest_digest
    )


def write_statement(claim: Claim, manifest: Manifest, run: Mapping[str, Json]) -> dict[str, Json]:
    """Return the statement that makes a claim; `run` is the bundle's `record/run.json`."""
    times = {"startedOn": run.get("start"), "finishedOn": run.get("end")}
    manifest_file: Json = {"name": str(layout.MANIFEST), "digest": {"sha256": claim.files[str(layout.MANIFEST)].sha256}}
    predicate: dict[str, Json] = {
        "buildDefinition": {
            "buildType": _build_type(claim.files),
            "externalParameters": {"manifest": manifest_file},
            "resolvedDependencies": _dependencies(manifest),
        },
        "runDetails": {
            "builder": {"id": BUILDER, "version": {"kit": __version__}},
            "metadata": {name: time for name, time in times.items() if isinstance(time, str)},
        },
        "kit_files": _listing(claim.files),
        "kit_manifest_digest": claim.manifest_digest,
        "kit_results_digest": claim.results_digest,
    }
    return {
        "_type": STATEMENT_TYPE,
        "subject": _subject(claim.files),
        "predicateType": PREDICATE_TYPE,
        "predicate": predicate,
    }


def read_statement(payload: bytes) -> Claim:
    """Return what a signed statement claims.

    Raises:
        ValueError: it is not a statement that the kit wrote.
        CheckFailed: it is not strict JSON.
    """
    document = _object(parse_json(payload, str(layout.STATEMENT)))
    predicate = fields.mapping(document, "predicate")
    kinds = (fields.text(document, "_type"), fields.text(document, "predicateType"))
    if kinds != (STATEMENT_TYPE, PREDICATE_TYPE):
        raise ValueError("is not an in-toto statement of SLSA provenance")
    listing = predicate.get("kit_files")
    files = dict(map(_listed, listing if isinstance(listing, list) else []))
    if listing != _listing(files) or document.get("subject") != _subject(files):
        raise ValueError("does not list the same files, each once, as its subjects and as the bundle's files")
    if canonical_json(document) != payload:
        raise ValueError("is not in RFC 8785 form")
    return Claim(
        files=files,
        results_digest=fields.text(predicate, "kit_results_digest"),
        manifest_digest=fields.text(predicate, "kit_manifest_digest"),
    )


def _build_type(files: Mapping[str, FileDigests]) -> str:
    return next((kind for record, kind in MADE_OF_ANOTHER.items() if str(record) in files), REPRODUCE)


def _dependencies(manifest: Manifest) -> list[Json]:
    """List the files of the model, of the data and of an adapter that exists."""
    adapter = manifest.finetune.adapter if manifest.finetune else None
    sources = [
        manifest.model.source,
        *(part.source for part in manifest.data.values()),
        *([adapter] if adapter else []),
    ]
    return [
        {"name": f"{source.name}/{name}", "digest": {"xxh3_128": digest.removeprefix(PREFIX)}}
        for source in sources
        for name, digest in sorted(source.files.items())
    ]


def _subject(files: Mapping[str, FileDigests]) -> list[Json]:
    return [{"name": name, "digest": {"sha256": file.sha256}} for name, file in sorted(files.items())]


def _listing(files: Mapping[str, FileDigests]) -> list[Json]:
    return [
        {"path": name, "size": file.size, "sha256": file.sha256, "xxh3_128": file.xxh3_128}
        for name, file in sorted(files.items())
    ]


def _listed(value: Json) -> tuple[str, FileDigests]:
    row = _object(value)
    digests = FileDigests(fields.integer(row, "size"), fields.text(row, "xxh3_128"), fields.text(row, "sha256"))
    return fields.text(row, "path"), digests


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise fields.FieldError("is not an object")
    return value
