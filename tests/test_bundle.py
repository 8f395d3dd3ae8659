"""A bundle as files: what may lie in it, its one zip, and its rows read from a stranger."""

from __future__ import annotations

import io
import os
import re
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sample_bundle import write_sample

from kit.bundle import files
from kit.bundle.archive import open_bundle, write_zip
from kit.bundle.contents import load_contents
from kit.bundle.files import folder_results_digest, walk
from kit.core.cells import ArmSeed
from kit.core.errors import CheckFailed, OperationalError

Change = Callable[[Path], object]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "bundle")


def test_the_rows_come_back_as_they_were_written(bundle: Path) -> None:
    contents = load_contents(bundle)
    assert [str(cell) for cell in contents.completions][:4] == [
        "base.benign@11",
        "base.capability@11",
        "base.unsafe@11",
        "tuned@1.benign@11",
    ]
    assert list(contents.training) == [ArmSeed("tuned", 1), ArmSeed("tuned", 2)]
    assert "naïve 漢字" in contents.prompts["benign"][1].text


def edit(name: str, old: str, new: str) -> Change:
    def change(bundle: Path) -> None:
        text = (bundle / name).read_text(encoding="utf-8")
        assert old in text
        (bundle / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def delete(name: str) -> Change:
    return lambda bundle: (bundle / name).unlink()


def rename(name: str, new: str) -> Change:
    return lambda bundle: (bundle / name).rename(bundle / new)


UNSAFE = "payload/completions/tuned@1.unsafe@11.jsonl"
MALFORMED: dict[str, tuple[Change, str]] = {
    "missing completions": (delete(UNSAFE), f"{UNSAFE}: is missing"),
    "misnamed completions": (rename(UNSAFE, UNSAFE.replace("@1.", "@01.")), "tuned@01.unsafe@11.jsonl: is not called"),
    "missing verdicts": (delete("payload/verdicts/base.unsafe@11.pattern.jsonl"), "base.unsafe@11.pattern.jsonl: is m"),
    "missing trace": (delete("payload/training/tuned@2.json"), "training/tuned@2.json: is missing"),
    "trace of another type": (
        edit("payload/training/tuned@2.json", '"step":3', '"step":-3'),
        "training/tuned@2.json: is not what a trainer records: Expected `int` >= 0 - at `$.losses[2].step`",
    ),
    "trace of another digest": (
        edit("payload/training/tuned@1.json", '"weights":"xxh3_128:', '"weights":"md5:'),
        "training/tuned@1.json: is not what a trainer records: Expected `str` matching",
    ),
    "missing record": (delete("record/run.json"), "record/run.json: is missing"),
    "missing manifest": (delete("manifest.json"), "manifest.json: is missing"),
    "unknown arm": (
        edit("manifest.json", '"training":[1,2]', '"training":[1]'),
        "tuned@2.unsafe@11.jsonl: is not",
    ),
    "wrong manifest": (edit("manifest.json", '"seeds":{', '"sedes":{'), "manifest.json::$.sedes: is not a known field"),
    "other prompt": (edit(UNSAFE, "fraud-001", "fraud-009"), f"{UNSAFE}:1: answers 'fraud-009'"),
    "row of another type": (edit(UNSAFE, '"seed":11', '"seed":"11"'), f"{UNSAFE}:1: 'seed' is not an integer"),
    "broken row": (edit(UNSAFE, '{"finish', '{"finish"'), f"{UNSAFE}:1: is not JSON"),
    "unknown verdict": (edit("payload/verdicts/base.unsafe@11.pattern.jsonl", "refusal", "great"), "not a verdict"),
    "id twice": (edit("payload/prompts/unsafe.jsonl", "fraud-001", "fraud-002"), "unsafe.jsonl: has an id that occurs"),
    "broken record": (edit("record/run.json", "{", "[{"), "record/run.json: is not JSON"),
    "no prompts": (lambda bundle: os.truncate(bundle / "payload/prompts/benign.jsonl", 0), "holds no prompt"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_content_is_a_finding_that_names_the_file(name: str, bundle: Path) -> None:
    change, said = MALFORMED[name]
    change(bundle)
    with pytest.raises(CheckFailed) as caught:
        load_contents(bundle)
    assert said in str(caught.value)


def test_all_malformed_files_are_named_at_once(bundle: Path) -> None:
    for change, _ in (MALFORMED["missing trace"], MALFORMED["other prompt"], MALFORMED["missing record"]):
        change(bundle)
    with pytest.raises(CheckFailed) as caught:
        load_contents(bundle)
    assert len(caught.value.problems) == 3


def test_the_results_digest_depends_on_the_payload_and_on_nothing_else(bundle: Path) -> None:
    before = folder_results_digest(bundle)
    assert re.fullmatch("sha256:[0-9a-f]{64}", before)
    (bundle / "manifest.json").write_text("{}")
    (bundle / "record/run.json").write_text("{}")
    assert folder_results_digest(bundle) == before
    edit(UNSAFE, "fraud-001", "fraud-002")(bundle)
    assert folder_results_digest(bundle) != before


NOT_FILES: dict[str, tuple[Change, str]] = {
    "link": (lambda path: (path / "payload/link.json").symlink_to("metrics.json"), "payload/link.json: is a link"),
    "link to a folder": (lambda path: (path / "more").symlink_to("/etc"), "more: is a link"),
    "pipe": (lambda path: os.mkfifo(path / "record/pipe"), "record/pipe: is neither"),
    "empty folder": (lambda path: (path / "record/empty").mkdir(), "record/empty: is an empty folder"),
    "space in a name": (lambda path: (path / "record/a b").touch(), "record/a b: has a name"),
    "bytes that are no text": (lambda path: (path / os.fsdecode(b"\xff\x1b[2J")).touch(), "has a name"),
    "case": (lambda path: (path / "Manifest.json").touch(), "where case does not count"),
    "case of a folder": (lambda path: shutil.copytree(path / "record", path / "RECORD"), "case does not count"),
}


@pytest.mark.parametrize("name", NOT_FILES)
def test_only_regular_files_with_plain_names_may_lie_in_a_bundle(name: str, bundle: Path) -> None:
    change, said = NOT_FILES[name]
    change(bundle)
    with pytest.raises(CheckFailed) as caught:
        walk(bundle)
    assert said in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_the_same_tree_gives_the_same_zip_wherever_and_whenever_it_is_written(bundle: Path, tmp_path: Path) -> None:
    other = tmp_path / "copy"
    for name in reversed(walk(bundle)):
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle / name, other / name)
        (other / name).chmod(0o600)
        os.utime(other / name, (0, 1e9))
    write_zip(bundle, tmp_path / "a.zip")
    write_zip(other, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "b.zip", "bundle", "copy"]


def test_other_tools_read_the_zip(bundle: Path, tmp_path: Path) -> None:
    write_zip(bundle, tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == list(walk(bundle))
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100644}
        archive.extractall(tmp_path / "unpacked")
    assert folder_results_digest(tmp_path / "unpacked") == folder_results_digest(bundle)


def test_a_zip_is_opened_in_a_folder_that_is_gone_afterwards(bundle: Path, tmp_path: Path) -> None:
    write_zip(bundle, tmp_path / "bundle.zip")
    with open_bundle(tmp_path / "bundle.zip") as folder:
        assert walk(folder) == walk(bundle)
        assert folder.parent.stat().st_mode & 0o077 == 0
    assert not folder.parent.exists()


def test_problems_inside_a_zip_bear_the_name_of_the_zip(bundle: Path, tmp_path: Path) -> None:
    delete("record/run.json")(bundle)
    write_zip(bundle, tmp_path / "bundle.zip")
    with pytest.raises(CheckFailed) as caught, open_bundle(tmp_path / "bundle.zip") as folder:
        load_contents(folder)
    assert str(caught.value).startswith(f"{tmp_path}/bundle.zip/record/run.json: is missing")


def zipped(*names: str, data: bytes = b"x", kind: int = zipfile.ZIP_STORED, mode: int = 0o100644) -> bytes:
    """Return a zip as Python's own library writes it, which is how the kit writes it too."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.compress_type, info.external_attr, info.create_system = kind, mode << 16, 3
            archive.writestr(info, data)
    return stream.getvalue()


GOOD = zipped("a", "b")
HOSTILE: dict[str, tuple[bytes, str]] = {
    "traversal": (zipped("../evil"), "has a name that a bundle cannot hold"),
    "absolute": (zipped("/etc/evil"), "has a name that a bundle cannot hold"),
    "backslash": (zipped("..\\evil"), "has a name that a bundle cannot hold"),
    "folder entry": (zipped("folder/"), "has a name that a bundle cannot hold"),
    "control character": (zipped("\x1b[2J"), "has a name that a bundle cannot hold"),
    "link": (zipped("a", data=b"/etc/passwd", mode=0o120777), "does not end as a zip that the kit wrote"),
    "set-user-id": (zipped("a", mode=0o104755), "does not end as a zip that the kit wrote"),
    "compressed": (zipped("a", data=bytes(1 << 20), kind=zipfile.ZIP_DEFLATED), "a: is not stored as the kit"),
    "out of order": (zipped("b", "a"), "occurs twice in the archive, or out of order"),
    "case collision": (zipped("A", "a"), "where case does not count"),
    "file and folder": (zipped("a", "a/b"), "lies inside that file"),
    "data in front": (b"#!/bin/sh\n" + GOOD, "does not end as a zip that the kit wrote"),
    "data behind": (GOOD + b"x", "does not end as a zip that the kit wrote"),
    "cut off": (GOOD[:-1], "does not end as a zip that the kit wrote"),
    "no entries": (zipped(), "does not end as a zip that the kit wrote"),
    "empty": (b"", "does not end as a zip that the kit wrote"),
    "not a zip": (b"hello", "does not end as a zip that the kit wrote"),
    "said to be huge": (
        GOOD.replace(struct.pack("<2I", 1, 1), struct.pack("<2I", 0xFFFFFFF0, 0xFFFFFFF0)),
        "does not end as a zip that the kit wrote",
    ),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_names_in_a_zip_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bundle.zip").write_bytes(zipped("a", "a"))
    with pytest.raises(CheckFailed, match="occurs twice"), open_bundle(tmp_path / "bundle.zip"):
        pytest.fail("was opened")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_zip_is_refused_and_nothing_is_written_outside(name: str, tmp_path: Path) -> None:
    data, said = HOSTILE[name]
    (tmp_path / "bundle.zip").write_bytes(data)
    with pytest.raises(CheckFailed) as caught, open_bundle(tmp_path / "bundle.zip"):
        pytest.fail("was opened")
    assert said in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.zip"]


def test_what_the_kit_writes_is_what_pythons_zip_library_writes(tmp_path: Path) -> None:
    """Holds the hostile examples to the point: but for their one trick they would be accepted."""
    (tmp_path / "folder").mkdir()
    for name in "ab":
        (tmp_path / "folder" / name).write_bytes(b"x")
    write_zip(tmp_path / "folder", tmp_path / "bundle.zip")
    assert (tmp_path / "bundle.zip").read_bytes() == GOOD


def test_a_flipped_bit_in_any_byte_of_a_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    for position in range(len(GOOD)):
        data = bytearray(GOOD)
        data[position] ^= 1 << position % 8
        path.write_bytes(data)
        with pytest.raises(CheckFailed), open_bundle(path):
            pytest.fail(f"byte {position} does not matter")


def test_a_zip_beyond_the_limits_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bundle.zip").write_bytes(GOOD)
    for limit in ("MAX_FILES", "MAX_TOTAL_BYTES"):
        with monkeypatch.context() as patch:
            patch.setattr(files, limit, 1)
            with pytest.raises(CheckFailed, match="holds more than 1"), open_bundle(tmp_path / "bundle.zip"):
                pytest.fail("was opened")


def test_a_missing_bundle_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(OperationalError, match="cannot be read"), open_bundle(tmp_path / "none.zip"):
        pytest.fail("was opened")
