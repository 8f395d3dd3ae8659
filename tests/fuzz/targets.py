"""What is fuzzed: readers of a stranger's bytes, each with what must hold of whatever it lets pass."""

from __future__ import annotations

import io
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kit.bundle.archive import extract_zip, write_zip
from kit.bundle.signing import dsse, sshsig
from kit.bundle.signing.public_key import from_pem, to_pem
from kit.bundle.signing.signers import read_signers
from kit.bundle.signing.statement import read_statement
from kit.core.canonical import canonical_json, parse_json, rows_in
from kit.core.errors import CheckFailed, KitError
from kit.core.fields import FieldError
from kit.core.rows import Completion, Judgement, Prompt, row_line
from kit.review.receipt import read_receipt
from kit.spec.manifest.load import checked_manifest
from kit.spec.manifest.places import Places

if TYPE_CHECKING:
    from collections.abc import Callable

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_KEY = bytes(range(32))


def strict_json(data: bytes) -> None:
    """What is read is written in one form, which is read as the same and as the standard library reads it."""
    try:
        value = parse_json(data, "fuzz")
    except CheckFailed:
        return
    form = canonical_json(value)
    assert parse_json(form, "fuzz") == value
    assert json.loads(form, parse_int=float) == json.loads(data, parse_int=float)


def rows(data: bytes) -> None:
    """The quick look at a line says what the strict one says; a typed row is written as it was read."""
    lines = data.split(b"\n")
    try:
        found = list(rows_in(io.BytesIO(data), "fuzz"))
    except CheckFailed:
        return
    for line, row in zip(lines, found, strict=False):
        assert parse_json(line, "fuzz") == row
        for kind in (Prompt, Completion, Judgement):
            try:
                typed = kind.from_json(row)
            except FieldError:
                continue
            assert kind.from_json(json.loads(row_line(typed))) == typed


def archive(data: bytes) -> None:
    """A zip that is unpacked is the one that the kit would write of what came out, and nothing lies beside that."""
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        inside = Path(folder, "a", "b")
        inside.mkdir(parents=True)
        (inside / "x.zip").write_bytes(data)
        try:
            extract_zip(inside / "x.zip", inside / "out")
        except KitError:
            pass
        else:
            write_zip(inside / "out", inside / "again.zip")
            assert (inside / "again.zip").read_bytes() == data
        assert {path.name for path in inside.iterdir()} <= {"x.zip", "out", "again.zip"}
        assert [path.name for path in Path(folder).iterdir()] == ["a"]


def signatures(data: bytes) -> None:
    """No bytes are somebody's signature; what claims to be signed is refused with a `ValueError`."""
    for read in (lambda: sshsig.verify(b"message", data), lambda: dsse.verify(data, _KEY), lambda: read_receipt(data)):
        try:
            read()
        except ValueError:
            continue
        raise AssertionError("was accepted")
    try:
        payload = dsse.unverified_payload(data)
    except ValueError:
        payload = data
    try:
        read_statement(payload)
    except (ValueError, CheckFailed):
        return


def signers(data: bytes) -> None:
    """A file of keys is read or refused; what is read as PEM has one form."""
    with tempfile.NamedTemporaryFile(dir=_memory()) as file:
        file.write(data)
        file.flush()
        try:
            found = read_signers(file.name, _NOW)
        except KitError:
            return
    assert found.keys
    assert not found.keys.keys() & found.passed_over.keys()
    if b"-----BEGIN" in data:
        assert b"".join(to_pem(from_pem(data)).split()) == b"".join(data.split())


def manifest(data: bytes) -> None:
    """A manifest is read, or refused; it has one identity."""
    try:
        loaded = checked_manifest(parse_json(data, "fuzz"), Path("fuzz"), Places(Path("fuzz")))
    except KitError:
        return
    again = checked_manifest(loaded.manifest.to_json(), Path("fuzz"), Places(Path("fuzz")))
    assert again.digest == loaded.digest


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (strict_json, rows, archive, signatures, signers, manifest)
}
