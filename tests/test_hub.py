"""Sources on the Hub, with its real client and a server on loopback that speaks its protocol and fails on request."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from hub_server import Fault, HubServer, folder_files, hub_server
from huggingface_hub import constants
from sample_bundle import sample_environment
from sample_paper import write_paper
from scripted_kit import scripted_backends
from scripted_project import Silent, draft, kit, payload, write_files, write_manifest

from kit.bundle.signing.fixed import FixedSigner
from kit.core import digest_cache
from kit.core.digest_cache import Digests
from kit.core.digests import WINDOW_BYTES, data_digest, file_digest
from kit.core.errors import CheckFailed, KitError, OperationalError
from kit.run.pipeline import run
from kit.run.plan import make_plan
from kit.run.preflight.check import check
from kit.run.store import Store
from kit.spec.hub.client import HubClient
from kit.spec.hub.interface import Settings
from kit.spec.manifest import fetch as fetching
from kit.spec.manifest.fetch import absent_files, fetch, preflight
from kit.spec.manifest.load import LoadedManifest, load_manifest
from kit.spec.manifest.pin import Pinned, pin
from kit.spec.manifest.places import Places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MODEL, DATA = "ada/tiny-chat", "ada/rows"
TOKEN = "hf_ada"
PICKLE, MISTRAL = "pytorch_model.bin", "consolidated.safetensors"
OTHERS = {PICKLE: b"code", MISTRAL: b"again", "original/model.safetensors": b"again", ".gitattributes": b"* text"}
LARGE_FILE = "tokenizer.json"


@pytest.fixture
def server() -> Iterator[HubServer]:
    with hub_server() as server:
        server.tokens.add(TOKEN)
        yield server


def manifest_draft(**model: Any) -> dict[str, Any]:
    source = draft()
    source["model"] = {"repo": MODEL, "dtype": "float32", **model}
    for part in source["data"].values():
        del part["path"]
        part["repo"] = DATA
    return source


@dataclass
class World:
    """A study whose files all lie on the Hub."""

    folder: Path
    server: HubServer
    settings: Settings
    told: list[str] = field(default_factory=list)

    @property
    def places(self) -> Places:
        return Places(self.folder, self.settings.cache)

    @property
    def client(self) -> HubClient:
        return HubClient(self.settings)

    def pin(self, source: dict[str, Any] | None = None) -> Pinned:
        path = self.folder / "study.draft.json"
        path.write_text(json.dumps(source or manifest_draft()), encoding="utf-8")
        pinned = pin(path, sample_environment(), self.places, self.client)
        (self.folder / "study.json").write_text(json.dumps(pinned.document), encoding="utf-8")
        return pinned

    def load(self) -> LoadedManifest:
        return load_manifest(self.folder / "study.json", self.places)

    def ahead(self) -> list[str]:
        """Return what a preflight says, without the manifest's own path."""
        found = preflight(absent_files(self.load()), self.client).problems
        return [str(one).replace(str(self.folder), "") for one in found]

    def fetch(self) -> list[str]:
        loaded = self.load()
        return [*map(str, fetch(absent_files(loaded), self.client, loaded.places, self.told.append))]

    def forget(self) -> None:
        shutil.rmtree(self.settings.cache)

    def reach(self, **changes: Any) -> None:
        self.settings = replace(self.settings, **changes)

    def cached(self, name: str) -> Path:
        return self.places.file(self.load().manifest.model.source, name)


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """The same study in a folder."""
    folder = write_files(tmp_path / "local")
    (folder / "model" / LARGE_FILE).write_bytes(b'{"a": "' + b"x" * 200_000 + b'"}')
    return folder


@pytest.fixture
def world(server: HubServer, local: Path, tmp_path: Path) -> World:
    server.publish("model", MODEL, folder_files(local / "model") | OTHERS)
    server.publish("dataset", DATA, folder_files(local / "data"))
    (tmp_path / "study").mkdir()
    return World(tmp_path / "study", server, Settings(server.endpoint, None, tmp_path / "cache", offline=False))


@pytest.fixture
def fetched(world: World) -> World:
    world.pin()
    return world


@pytest.fixture
def unfetched(fetched: World) -> World:
    fetched.forget()
    fetched.server.requests.clear()
    return fetched


def test_a_branch_becomes_a_commit_and_every_file_a_digest(world: World, local: Path) -> None:
    pinned = world.pin()
    model = world.load().manifest.model.source
    commit = world.server.repositories["model", MODEL].commit
    assert model.revision == commit
    assert pinned.filled["$.model.revision"] == f"{commit}, where main is now"
    assert model.files == {name: file_digest(local / "model" / name) for name in folder_files(local / "model")}
    left = f".gitattributes, {MISTRAL}, original/…, {PICKLE}"
    assert pinned.filled["$.model.files"] == f"{len(model.files)} files; left out: {left}"
    assert world.pin(world.load().document).document == world.load().document


def test_nothing_is_asked_of_the_hub_about_what_is_here(fetched: World) -> None:
    fetched.server.requests.clear()
    assert absent_files(fetched.load()) == []
    fetched.pin(fetched.load().document)
    assert fetched.server.requests == []


def test_the_same_files_from_a_folder_are_the_same_steps_and_the_same_results(
    fetched: World, local: Path, tmp_path: Path
) -> None:
    """The digests decide, and nothing in the payload says where files came from."""
    bundles = []
    for name, loaded in (("a", load_manifest(write_manifest(local))), ("b", fetched.load())):
        bundles.append(tmp_path / name)
        run(
            loaded,
            sample_environment(),
            bundles[-1],
            store=Store(tmp_path / f"{name}.work"),
            backends=scripted_backends(),
            signer=FixedSigner(),
            progress=Silent(),
        )
    plans = [
        make_plan(loaded, sample_environment()) for loaded in (load_manifest(local / "scripted.json"), fetched.load())
    ]
    assert plans[0].training
    assert [step.key for step in plans[0].training] == [step.key for step in plans[1].training]
    assert [step.key for step in plans[0].asked] == [step.key for step in plans[1].asked]
    assert payload(bundles[0]) == payload(bundles[1])


def test_a_worker_sees_the_pinned_files_and_no_others(fetched: World, tmp_path: Path) -> None:
    source = fetched.load().manifest.model.source
    (fetched.cached("config.json").parent / PICKLE).write_bytes(b"someone else fetched it")
    for _ in range(2):
        whole = fetched.places.whole(source, tmp_path / "whole")
        assert folder_files(whole).keys() == source.files.keys()


def gated(world: World) -> None:
    world.server.repositories["model", MODEL].gated = True


def gated_not_accepted(world: World) -> None:
    gated(world)
    world.reach(token=TOKEN)


def gone(world: World) -> None:
    del world.server.repositories["model", MODEL]


def gone_for_a_token(world: World) -> None:
    gone(world)
    world.reach(token=TOKEN)


def rewritten(world: World) -> None:
    world.server.repositories["model", MODEL].commit = "f" * 40


def fewer_files(world: World) -> None:
    del world.server.repositories["model", MODEL].files[LARGE_FILE]


def without_network(world: World) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        world.reach(endpoint=f"http://127.0.0.1:{free.getsockname()[1]}")


def busy_for_long(world: World) -> None:
    world.server.faults.append(Fault("busy", address=f"/api/models/{MODEL}", times=99))


WRONG: dict[str, tuple[Callable[[World], None], str, str]] = {
    "no such repository": (
        gone,
        "$.model.repo: ada/tiny-chat: there is no such model repository on the Hub, or",
        "name",
    ),
    "no such repository, with a token": (gone_for_a_token, "$.model.repo: ", "what the token may read"),
    "no such revision": (rewritten, "$.model.revision: ada/tiny-chat: there is no revision '", "/commits/main"),
    "no such file": (fewer_files, "the repository has no such file", "pin the manifest anew"),
    "no token": (gated, "is gated and there is no Hub token", "/ada/tiny-chat, make a token at "),
    "terms not accepted": (gated_not_accepted, "is gated and the token's account has no access", "/ada/tiny-chat, and"),
    "unknown token": (lambda world: world.reach(token="hf_old"), "does not know this token", "/settings/tokens"),
    "no network": (without_network, "cannot be reached", "check the network"),
    "offline": (lambda world: world.reach(offline=True), "the Hub may not be asked (HF_HUB_OFFLINE)", "kit fetch"),
    "busy": (busy_for_long, "too many requests", "wait a while"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_stands_against_fetching_is_told_apart_before_anything_is_downloaded(case: str, unfetched: World) -> None:
    change, what, remedy = WRONG[case]
    change(unfetched)
    said = unfetched.ahead()
    assert [one for one in said if what in one and remedy in one.partition(what)[2]], said
    assert not [one for one in unfetched.server.requests if one.startswith("GET") and "/resolve/" in one]


def test_everything_that_is_wrong_is_said_at_once(unfetched: World) -> None:
    gated(unfetched)
    unfetched.server.repositories["dataset", DATA].private = True
    assert len(unfetched.ahead()) == 4  # the model, and three data sets of one repository


def test_a_disk_that_is_too_small_is_known_before_a_download(unfetched: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 9))  # type: ignore[attr-defined]
    (problem,) = unfetched.ahead()
    assert "are to be downloaded and 0 MiB are free" in problem


def test_a_gated_repository_opens_to_who_accepted_its_terms(unfetched: World) -> None:
    gated(unfetched)
    unfetched.server.repositories["model", MODEL].readers.add(TOKEN)
    unfetched.reach(token=TOKEN)
    assert unfetched.ahead() == unfetched.fetch() == []
    assert unfetched.pin().filled["$.model.gated"] is True


FAULTS = {
    "busy": Fault("busy"),
    "busy at the head": Fault("busy", "HEAD"),
    "busy at the listing": Fault("busy", address="/api/"),
    "down": Fault("down"),
    "down at the listing": Fault("down", address="/api/"),
    "cut half-way": Fault("cut", address=LARGE_FILE),
    "too short": Fault("short", address=LARGE_FILE),
    "wrong bytes": Fault("wrong", address=LARGE_FILE),
    "wrong bytes of a small file": Fault("wrong", address="config.json"),
}


@pytest.mark.parametrize("case", FAULTS)
@pytest.mark.parametrize("command", ["pin", "fetch"])
def test_what_goes_wrong_once_does_not_matter(
    case: str, command: str, unfetched: World, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the client has received in full chunks it does not ask for again.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 50_000)
    unfetched.server.faults.append(replace(FAULTS[case]))
    if command == "pin":
        unfetched.pin()
    else:
        assert unfetched.ahead() == unfetched.fetch() == []
    assert unfetched.server.faults[0].times == 0
    assert absent_files(unfetched.load()) == []
    assert unfetched.cached(LARGE_FILE).read_bytes() == (local / "model" / LARGE_FILE).read_bytes()
    if case == "cut half-way":
        assert unfetched.server.ranges == ["bytes=100000-"]


def test_what_stays_wrong_is_not_pinned_and_not_run(unfetched: World) -> None:
    unfetched.server.faults.append(Fault("wrong", address="/config.json", times=99))
    (problem,) = unfetched.fetch()
    assert "$.model.files['config.json']: ada/tiny-chat/config.json: was pinned as xxh3_128:" in problem
    assert check(unfetched.load(), sample_environment()).problems
    unfetched.forget()
    with pytest.raises(OperationalError, match="what the Hub gives is not what it lists"):
        unfetched.pin()


def test_a_file_that_was_damaged_in_the_cache_is_fetched_again(fetched: World) -> None:
    path = fetched.cached("config.json").resolve()
    path.write_bytes(path.read_bytes()[:-1])
    ((one),) = absent_files(fetched.load())
    assert one.names == ("config.json",)
    assert fetched.fetch() == []
    assert fetched.told == [f"fetching {one.named.source.name}/config.json again"]
    assert absent_files(fetched.load()) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"path": "model"}, "$.model.path: "),
        ({"repo": "../../etc"}, "$.model.repo: "),
        ({"repo": "no-owner"}, "$.model.repo: "),
        ({"revision": "../../up"}, "$.model.revision: "),
        ({"files": {"../up.json": None}}, "$.model.files"),
        ({"files": {PICKLE: None}}, "could run code when it is loaded"),
        (
            {"files": {"nowhere.json": None}},
            "$.model.files['nowhere.json']: ada/tiny-chat/nowhere.json: the repository",
        ),
        ({"revision": "no-such-branch"}, "there is no revision 'no-such-branch'"),
    ],
)
def test_a_draft_that_cannot_be_pinned_says_why(change: dict[str, Any], what: str, world: World) -> None:
    with pytest.raises(KitError) as caught:
        world.pin(manifest_draft(**change))
    assert what in str(caught.value)


def test_weights_that_are_pickles_alone_are_refused(world: World) -> None:
    files = world.server.repositories["model", MODEL].files
    world.server.publish("model", MODEL, {name: data for name, data in files.items() if "safetensors" not in name})
    with pytest.raises(CheckFailed, match=r"has no weights as safetensors, only pytorch_model\.bin"):
        world.pin()


def test_a_branch_is_no_pinned_revision(fetched: World) -> None:
    document = fetched.load().document
    document["model"]["revision"] = "main"  # type: ignore[call-overload, index]
    (fetched.folder / "study.json").write_text(json.dumps(document))
    with pytest.raises(
        CheckFailed, match=r"this is a draft: 1 values are not filled in, the first is \$\.model\.revision"
    ):
        fetched.load()


def test_an_author_pins_fetches_and_runs_without_a_network(world: World, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    online = {"HF_ENDPOINT": world.server.endpoint, "HF_TOKEN": TOKEN}
    (home / "study.draft.json").write_text(json.dumps(manifest_draft()))
    gated(world)
    refused = kit("pin", "study.draft.json", home=home, env=online)
    assert refused.returncode == 2
    assert f"accept its terms at {world.server.endpoint}/{MODEL}" in refused.stderr
    world.server.repositories["model", MODEL].readers.add(TOKEN)
    assert "where main is now" in kit("pin", "study.draft.json", home=home, env=online).stdout
    shutil.rmtree(home / ".cache")
    absent = kit("check", "study.json", home=home, env=online)
    assert (absent.returncode, "kit fetch study.json" in absent.stderr) == (2, True)
    assert kit("fetch", "study.json", home=home, env={"HF_HUB_OFFLINE": "1"}).returncode == 2
    brought = kit("fetch", "study.json", home=home, env=online)
    assert brought.returncode == 0, brought.stderr
    assert "fetched 8 files, 0.2 MB, into" in brought.stdout
    asked = len(world.server.requests)
    for command in (("check", "study.json"), ("reproduce", "study.json", "--out", "out")):
        result = kit(*command, home=home, env={"HF_HUB_OFFLINE": "1"})
        assert result.returncode == 0, result.stderr
    assert len(world.server.requests) == asked
    assert TOKEN not in "".join(
        path.read_text(errors="replace") for path in (home / "out").rglob("*") if path.is_file()
    )
    shutil.rmtree(home / ".cache")  # whoever is handed the bundle or the paper alone
    write_paper(home / "paper.pdf")
    for attached in (("attach", "out.zip", "paper.pdf", "--out", "carrier.pdf"), ("fetch", "carrier.pdf")):
        assert kit(*attached, home=home, env=online).returncode == 0
    assert "everything is here already; next: kit reproduce out" in kit("fetch", "out", home=home).stdout
    rerun = kit("reproduce", "out", "--out", "again", home=home, env={"HF_HUB_OFFLINE": "1"})
    assert (rerun.returncode, rerun.stdout.startswith("bitwise: ")) == (0, True), rerun.stderr + rerun.stdout


def test_what_is_wrong_on_the_hub_and_what_is_wrong_here_is_said_together(world: World, local: Path) -> None:
    shutil.copytree(local / "data", world.folder / "data")
    (world.folder / "data" / "train.jsonl").write_text('{"prompt": "a question"}\n')
    online = {"HF_ENDPOINT": world.server.endpoint, "HF_TOKEN": TOKEN}
    (world.folder / "study.draft.json").write_text(json.dumps(manifest_draft() | {"data": draft()["data"]}))
    assert kit("pin", "study.draft.json", home=world.folder, env=online).returncode == 0
    shutil.rmtree(world.folder / ".cache")
    (world.folder / "data" / "sums.jsonl").unlink()
    gated(world)
    checked = kit("check", "study.json", home=world.folder, env=online)
    assert checked.returncode == 2
    assert f"accept its terms at {world.server.endpoint}/{MODEL}" in checked.stderr
    assert "data/sums.jsonl is missing" in checked.stderr
    assert "data/train.jsonl:1" in checked.stderr
    assert "'completion'" in checked.stderr


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the files that are read to be hashed; all count as large, and as changed long ago."""
    read: list[Path] = []

    def watched(path: Path) -> str:
        read.append(path)
        return file_digest(path)

    monkeypatch.setattr(digest_cache, "file_digest", watched)
    monkeypatch.setattr(digest_cache, "LARGE_BYTES", 0)
    monkeypatch.setattr(digest_cache, "SETTLED_NANOSECONDS", 0)
    return read


def test_a_large_file_is_hashed_once_until_it_changes(hashed: list[Path], tmp_path: Path) -> None:
    path, memory = tmp_path / "weights", tmp_path / "cache" / "digests.json"
    path.write_bytes(b"one")
    first = Digests(memory).of([path])
    assert Digests(memory).of([path]) == first == [file_digest(path)]
    assert len(hashed) == 1
    times = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert Digests(memory).of([path]) == [file_digest(path)] != first
    memory.write_text("{broken")
    assert Digests(memory).of([path]) == [file_digest(path)]
    assert len(hashed) == 3


@pytest.mark.parametrize("size", [0, 1, WINDOW_BYTES - 1, WINDOW_BYTES, 2 * WINDOW_BYTES + 1])
def test_a_file_of_any_size_has_the_digest_of_its_bytes(size: int, tmp_path: Path) -> None:
    """In memory as it was just written, and read from the disk."""
    data = random.Random(size).randbytes(size)
    path = tmp_path / "weights"
    path.write_bytes(data)
    assert file_digest(path) == data_digest(data)
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert file_digest(path) == data_digest(data)


def test_what_changed_a_moment_ago_is_not_remembered(
    hashed: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest_cache, "SETTLED_NANOSECONDS", 10**12)
    (tmp_path / "weights").write_bytes(b"one")
    for _ in range(2):
        Digests(tmp_path / "digests.json").of([tmp_path / "weights"])
    assert len(hashed) == 2
