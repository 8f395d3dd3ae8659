"""Paths, digests and the store: nothing leaves its folder, nothing changes unseen, nothing is there by halves."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.core.digests import CHUNK_BYTES, both_digests, data_digest, file_digest, json_digest
from kit.core.errors import OperationalError
from kit.core.escaping import on_one_line
from kit.core.paths import UnsafePathError, inside, regular_files
from kit.run.store import Store

if TYPE_CHECKING:
    from pathlib import Path

KEY = data_digest(b"a step")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a" / "file").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    (tmp_path / "root-beside").mkdir()
    return root


@pytest.mark.parametrize(
    "name", ["a/file", "a/./file", "./a//file", "a", ".", "none", "..a", "a/...", "link", "linked/file"]
)
def test_what_stays_inside_is_found(folder: Path, name: str) -> None:
    (folder / "link").symlink_to("a/file")
    (folder / "linked").symlink_to(folder / "a")
    assert inside(folder, name) == folder / name


@pytest.mark.parametrize(
    "name",
    [
        *("/etc/passwd", "..", "../secret", "a/../../secret", "a/..", "a\\file", "a\0b"),
        *("out", "out/passwd", "beside", "dangling", "loop", "loop/x"),
    ],
)
def test_what_leads_out_is_refused(folder: Path, name: str) -> None:
    (folder / "out").symlink_to("/etc")
    (folder / "beside").symlink_to("../root-beside")
    (folder / "dangling").symlink_to("../nothing-there")
    (folder / "loop").symlink_to("loop")
    with pytest.raises(UnsafePathError):
        inside(folder, name)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "..", ".", "file", "/", "", "out", "\\", "é"])))
def test_no_path_leads_out(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    root = tmp_path_factory.getbasetemp() / "some" / "root"
    root.mkdir(parents=True, exist_ok=True)
    if not (root / "out").is_symlink():
        (root / "out").symlink_to("/")
    for given_as in (parts, ["/".join(parts)]):
        try:
            found = inside(root, *given_as)
        except UnsafePathError:
            continue
        assert found.resolve().is_relative_to(root.resolve())


def test_a_folder_lists_its_files_sorted_and_without_hidden_ones(folder: Path) -> None:
    (folder / "b").write_text("")
    (folder / "A").write_text("")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("")
    (folder / "link").symlink_to("a/file")
    assert regular_files(folder) == ["A", "a/file", "b", "link"]
    assert regular_files(folder / "none") == []


def test_a_folder_with_anything_else_is_refused(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(UnsafePathError, match="'pipe' is neither a file nor a folder"):
        regular_files(folder)
    (folder / "pipe").unlink()
    (folder / "out").symlink_to("../secret")
    with pytest.raises(UnsafePathError, match="'out' is a link that leaves the folder"):
        regular_files(folder)


def test_digests_are_those_of_the_standard_tools(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"", b"abc", os.urandom(2 * CHUNK_BYTES + 1)):
        path.write_bytes(content)
        both = both_digests(content)
        assert file_digest(path) == data_digest(content) == both.xxh3_128
        assert both.xxh3_128 == f"xxh3_128:{xxhash.xxh3_128(content).hexdigest()}"
        assert (
            subprocess.run(["sha256sum", path], capture_output=True, check=True).stdout.split()[0].decode()
            == both.sha256
        )
        assert both.size == len(content)
    # Empty input, as the xxHash specification's reference implementation gives it.
    assert data_digest(b"") == "xxh3_128:99aa06d3014798d86001c324468d497f"


def test_a_json_digest_does_not_depend_on_layout() -> None:
    assert json_digest({"b": 1.0, "a": "é"}) == json_digest({"a": "é", "b": 1}) != json_digest({"a": "e", "b": 1})


# The store


def committed(store: Store, note: str = "noted") -> Path:
    (store.scratch(KEY) / "out.txt").write_text("result")
    store.commit(KEY, {"note": note})
    return store.folder(KEY)


def test_a_finished_step_is_found_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert store.note(KEY) is None
    folder = committed(store)
    assert (folder / "out.txt").read_text() == "result"
    assert Store(tmp_path / "store").note(KEY) == {"note": "noted"}
    assert store.note(data_digest(b"another step")) is None


def test_an_unfinished_step_is_not_there_and_leaves_nothing_to_the_next_attempt(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (store.scratch(KEY) / "half.txt").write_text("half")
    assert store.note(KEY) is None
    assert list(store.scratch(KEY).iterdir()) == []


@pytest.mark.parametrize("damage", ["changed", "removed", "note removed", "note cut off"])
def test_a_damaged_step_is_done_again(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path / "store")
    folder = committed(store)
    note = next(path for path in folder.iterdir() if path.name != "out.txt")
    if damage == "changed":
        (folder / "out.txt").write_text("resulT")
    elif damage == "note cut off":
        note.write_bytes(note.read_bytes()[:-5])
    else:
        (note if damage == "note removed" else folder / "out.txt").unlink()
    assert store.note(KEY) is None
    committed(store, "again")
    assert store.note(KEY) == {"note": "again"}


def test_two_runs_do_not_share_a_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with (
        store.locked(),
        pytest.raises(OperationalError, match="another run is using it"),
        Store(tmp_path / "store").locked(),
    ):
        pass
    with store.locked():
        pass


def test_a_store_that_cannot_be_written_is_trouble(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(OperationalError, match="cannot be written to"), Store(tmp_path / "store").locked():
        pass


def test_a_line_for_a_terminal_shows_spaces_as_spaces_and_nothing_that_moves_the_cursor() -> None:
    assert on_one_line("33.3\u00a0% of \u201cx\u201d") == "33.3 % of \u201cx\u201d"
    assert on_one_line("a\x1b[31m\nb\u202e") == r"a\x1b[31m\nb\u202e"
