"""Writing a redacted bundle: every file is written anew from what is allowed, none is copied because it was there.

Only the trained adapters are copied, and the manifest, which an author publishes in any case.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.bundle.contents import adapter_files, load_contents, row_files
from kit.bundle.publish import archive_of, fresh_partial, publish, require_free
from kit.bundle.redaction import Redaction
from kit.bundle.signing.integrity import check_integrity
from kit.core.digests import both_digests
from kit.core.errors import CheckFailed, OperationalError
from kit.core.identity import kit_identity
from kit.core.rows import save_rows
from kit.report.write import write_document, write_numbers
from kit.review.redact import allowed
from kit.review.redact.allowed import only_allowed
from kit.review.redact.anonymous import anonymous_environment, anonymous_manifest
from kit.review.redact.commitment import Place
from kit.review.redact.names import is_trained_on_withheld, known_answers, name_problems
from kit.review.redact.withhold import not_for_publication, withhold
from kit.spec.manifest.load import load_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from kit.bundle.contents import Contents
    from kit.bundle.signing.interface import Signer
    from kit.core.canonical import Json
    from kit.review.redact.commitment import RedactionKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is left out beside the texts that may not be published."""

    everything: bool = False
    """Withhold the texts of every evaluation, published or not."""
    without_adapters: bool = False
    """Leave out the trained adapters and the losses of the training, by which training rows can be guessed."""
    anonymous: bool = False
    """Leave out what could name the authors; adapters, whose configuration names a path, as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """What was written."""

    folder: Path
    archive: Path
    results_digest: str
    fingerprint: str
    redaction: Redaction
    trained_on_withheld: bool
    """Whether there are adapters in it that were trained on texts that may not be published."""


def redact(original: Path, out: Path, options: Options, *, key: RedactionKey, signer: Signer) -> Redacted:
    """Write a bundle without the texts that may not be published to `out`, sign it, and write its zip beside it.

    Args:
        original: folder of a whole bundle that was verified.
        out: a folder that does not exist yet; it appears when, and only when, the bundle is complete.
        options: what is left out.
        key: from which the salts follow.
        signer: who signs.

    Raises:
        CheckFailed: the original is redacted already, or what would stay in the clear may be a text; all at once.
        OperationalError: `out` exists, or the disk is full.
    """
    require_free(out)
    contents = load_contents(original)
    if contents.redaction:
        raise CheckFailed.of(original, "is redacted already", "redact the bundle that it was made of")
    evaluations = tuple(sorted(contents.prompts)) if options.everything else not_for_publication(contents.manifest)
    if problems := name_problems(original, contents, evaluations):
        raise CheckFailed(problems)
    intact = check_integrity(original)
    redaction = Redaction(
        kit=kit_identity(),
        original=intact.claim.results_digest,
        signed_by=_committed(intact.fingerprint, key) if options.anonymous else intact.fingerprint,
        statement=f"sha256:{both_digests((original / layout.STATEMENT).read_bytes()).sha256}",
        key=key.id,
        withheld=evaluations,
        adapters=not (options.without_adapters or options.anonymous),
        anonymous=options.anonymous,
    )
    try:
        partial = fresh_partial(out)
        _write_manifest(original, partial, contents, redaction)
        _write_payload(original, partial, contents, redaction, key)
        _write_record(partial, contents, redaction)
        loaded = load_manifest(partial / layout.MANIFEST)
        write_numbers(partial, loaded)
        sealed = publish(partial, out, signer, loaded)
    except OSError as error:
        what = f"cannot be read or written ({error.strerror})"
        raise OperationalError.of(error.filename or out, what, "check space and permissions") from error
    return Redacted(
        folder=out,
        archive=archive_of(out),
        results_digest=sealed.results_digest,
        fingerprint=sealed.fingerprint,
        redaction=redaction,
        trained_on_withheld=redaction.adapters and is_trained_on_withheld(contents.manifest),
    )


def _committed(fingerprint: str, key: RedactionKey) -> str:
    """Return the commitment to whose key signed the original: of public keys there are lists to guess from."""
    return key.commit(Place(str(layout.REDACTION), "original", "signed_by"), fingerprint)


def _write_manifest(original: Path, target: Path, contents: Contents, redaction: Redaction) -> None:
    if redaction.anonymous:
        write_document(target / layout.MANIFEST, anonymous_manifest(contents.manifest.to_json()))
    else:
        target.mkdir()
        shutil.copyfile(original / layout.MANIFEST, target / layout.MANIFEST)


def _write_payload(original: Path, target: Path, contents: Contents, redaction: Redaction, key: RedactionKey) -> None:
    """Write rows, traces and adapters; the metrics follow from them."""
    for name, rows in row_files(withhold(contents, redaction.withheld, key)):
        save_rows(target / name, rows)
    traced = allowed.TRAINING_WITH_LOSSES if redaction.adapters else allowed.TRAINING
    for weights, trace in contents.training.items():
        write_document(target / layout.training_file(weights), only_allowed(trace, traced))
        for file in adapter_files(weights) if redaction.adapters else ():
            if (original / file).is_file():  # only LoRA leaves one
                (target / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(original / file, target / file)


def _write_record(target: Path, contents: Contents, redaction: Redaction) -> None:
    environment = only_allowed(contents.environment, allowed.ENVIRONMENT)
    if redaction.anonymous:
        environment = anonymous_environment(environment)
    self_test = allowed.self_test(known_answers(contents))
    write_document(target / layout.SELFTEST, only_allowed(contents.selftest, self_test))
    write_document(target / layout.RUN, only_allowed(contents.run, allowed.RUN))
    write_document(target / layout.ENVIRONMENT, environment)
    if contents.readings:
        readings = [only_allowed(one, allowed.READING) for one in contents.readings]
        write_document(target / layout.REJUDGE, {"readings": [_reading(one, redaction) for one in readings]})
    write_document(target / layout.REDACTION, redaction.to_json())


def _reading(reading: dict[str, Json], redaction: Redaction) -> dict[str, Json]:
    """Return what is told of judges that were added later."""
    environment = reading.get("environment")
    if not redaction.anonymous or not isinstance(environment, dict):
        return reading
    return {**reading, "environment": anonymous_environment(environment)}
