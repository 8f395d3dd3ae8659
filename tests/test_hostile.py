"""Hostile input: each of these ends in a sentence that names the file, soon, with nothing written elsewhere."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hostile import archives, documents, keys
from sample_bundle import write_sample

from kit.bundle.archive import write_zip
from kit.bundle.signing.seal import seal
from kit.bundle.signing.signers import read_signers
from kit.cli import group
from kit.cli.present import as_kit_error
from kit.core.errors import KitError
from kit.review.redact.key import make_redaction_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SECONDS = 20
"""Processor time that one refusal may take; most take milliseconds."""
CHARACTERS = 2_000_000


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed bundle, its zip beside it."""
    folder = tmp_path_factory.mktemp("good")
    seal(write_sample(folder / "bundle", training_seeds=(1,), per_category=1), keys.AUTHOR)
    write_zip(folder / "bundle", folder / "bundle.zip")
    return folder / "bundle"


def refusal(*arguments: object) -> str:
    """Run a command that must refuse, within bounds, and return what it says."""
    began = time.process_time()
    result = CliRunner().invoke(group, [*map(str, arguments)], standalone_mode=False)
    spent = time.process_time() - began
    error = result.exception
    assert isinstance(error, KitError | OSError), (arguments, result.output[:500], error)
    said = str(as_kit_error(error))
    assert as_kit_error(error).exit_code in (1, 2)
    assert spent < SECONDS
    assert len(said) < CHARACTERS
    return said


def listing(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


def test_no_archive_is_unpacked(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private = tmp_path / "tmp"
    private.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(private))
    written = archives.write(tmp_path, good.with_suffix(".zip"))
    before = listing(tmp_path)
    told = {label: refusal("verify", path) for label, path in written}
    assert {label for label, path in written if str(path) not in told[label]} == set()
    assert listing(tmp_path) == before
    assert not (tmp_path.parent / "climbed").exists()


@pytest.mark.parametrize("label", documents.JSON)
def test_no_document_is_read(label: str, good: Path, tmp_path: Path) -> None:
    file = tmp_path / "hostile.json"
    file.write_bytes(documents.JSON[label])
    for command in (
        ["check", file],
        ["verify", good, "--receipt", file],
        ["verify", good, "--opened", file],
        ["rejudge", good, "--judge", f"new={file}", "--out", tmp_path / "out"],
    ):
        assert str(file) in refusal(*command)
    assert listing(tmp_path) == [str(file)]


@pytest.mark.parametrize("label", documents.MANIFESTS)
def test_no_manifest_asks_for_endless_work_or_for_what_is_not_its_own(label: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(documents.MANIFESTS[label])
    for command in (["report", tmp_path], ["fetch", tmp_path / "manifest.json"], ["check", tmp_path / "manifest.json"]):
        assert str(tmp_path / "manifest.json") in refusal(*command)
    assert listing(tmp_path) == [str(tmp_path / "manifest.json")]


@pytest.mark.parametrize("label", keys.KEYS)
def test_no_file_of_keys_is_stretched_to_name_the_author(label: str, good: Path, tmp_path: Path) -> None:
    file = tmp_path / "signers"
    file.write_bytes(keys.KEYS[label])
    said = refusal("verify", good, "--signer", file)
    assert str(file) in said or "which is not a key that you named" in said or "whose key does not count" in said


def test_the_author_is_known_from_a_file_of_the_same_forms(tmp_path: Path) -> None:
    """What makes the test before this one mean something."""
    from datetime import UTC, datetime

    file = tmp_path / "signers"
    for text in (f'\t alice {keys.A} her laptop\'s "new" key\r\n', f'"alice b",c namespaces="git,kit-*" {keys.A}\n'):
        file.write_text(text)
        assert len(read_signers(str(file), datetime.now(UTC)).keys) == 1


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def _sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(1 << 40)


NO_FILES: dict[str, Callable[[Path], object]] = {
    "pipe": _pipe,
    "socket": _socket,
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a terabyte of nothing": _sparse,
}


def commands(good: Path, file: Path, out: Path) -> Iterator[Sequence[object]]:
    """Yield every way of handing a file to the kit."""
    yield from ([name, file] for name in ("verify", "report", "check", "pin", "fetch", "reproduce", "extract"))
    yield from (["diff", file, good], ["diff", good, file], ["receipt", file, good], ["attach", file, "--checklist"])
    yield from (["export", file, "--latex", out], ["redact", file, "--out", out], ["attach", good, file])
    yield ["rejudge", good, "--judge", f"new={file}", "--out", out]
    yield from (["verify", good, option, file] for option in ("--signer", "--receipt", "--opened"))
    yield ["redact", good, "--out", out, "--signing-key", file, "--key", out.with_name("redaction_key")]


@pytest.mark.parametrize("label", NO_FILES)
def test_what_is_no_file_is_not_waited_for(
    label: str, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    NO_FILES[label](tmp_path / "hostile")
    for command in commands(good, tmp_path / "hostile", tmp_path / "out"):
        assert "hostile" in refusal(*command), command


def test_folders_without_end_are_a_finding(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(100):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    assert "lies deeper than" in refusal("hash", tmp_path)


def test_a_file_of_another_size_than_was_signed_is_not_read(good: Path) -> None:
    """Gigabytes that nobody signed take no longer to refuse than a byte."""
    extra = good / "record/logs/extra.log"
    try:
        with extra.open("wb") as stream:
            stream.truncate(15 << 30)
        assert f"{extra}: was added after signing" in refusal("verify", good)
    finally:
        extra.unlink()


def test_a_link_in_the_folder_for_what_is_written_leads_nowhere(good: Path, tmp_path: Path) -> None:
    (tmp_path / "paper").mkdir()
    for name in ("numbers.tex", "opened.json", "draft.json"):
        (tmp_path / "paper" / name).symlink_to(tmp_path / "elsewhere")
    said = refusal("export", good, "--latex", tmp_path / "paper")
    assert f"{tmp_path}/paper/numbers.tex: is a link" in said
    key = tmp_path / "redaction_key"
    make_redaction_key(key)
    out = tmp_path / "paper/opened.json"
    assert str(out) in refusal("redact", good, "--open", "unsafe:fraud-001", "--key", key, "--out", out)
    assert str(tmp_path) in refusal("init", tmp_path / "paper/draft.json")
    assert not (tmp_path / "elsewhere").exists()
