"""What of a manifest lies on the Hub: what is not here yet, whether it can be had, and bringing it."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.core.errors import Problem, child_path
from kit.spec.hub.explain import offline
from kit.spec.hub.interface import HubError
from kit.spec.manifest.files import every_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from kit.spec.hub.interface import Hub, Listing
    from kit.spec.manifest.files import NamedFiles
    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.manifest.places import Places

DOWNLOADS_AT_ONCE = 4
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Absent:
    """Files of one repository that are not here, or not as they were pinned."""

    where: str
    """The manifest, or its variation, that names them."""
    named: NamedFiles
    names: tuple[str, ...]

    def problem(self, error: HubError, name: str | None = None) -> Problem:
        """Return what the Hub said of the repository or of one file, at the place that names it."""
        field = "revision" if error.of_revision else "repo"
        place = f"{self.named.place}.{field}" if name is None else child_path(f"{self.named.place}.files", name)
        said = self.named.source.origin if name is None else f"{self.named.source.origin}/{name}"
        return Problem(self.where, f"{said}: {error.what}", error.remedy, place)


@dataclass(frozen=True, slots=True)
class Preflight:
    """Whether what is absent can be had."""

    problems: list[Problem]
    size: int
    """Bytes to download, as far as the Hub tells."""


def absent_files(loaded: LoadedManifest) -> list[Absent]:
    """Return what a manifest names on the Hub and is not in the cache as it was pinned.

    Raises:
        OperationalError: a file of the cache cannot be read.
    """
    found = []
    for where, named, part in every_source(loaded):
        if named.source.repository is None:
            continue
        here = [name for name in named.names if loaded.places.file(named.source, name).is_file()]
        digests = loaded.places.digests_of(named.source, here)
        names = tuple(name for name in named.names if digests.get(name) != part["files"][name])
        if names:
            found.append(Absent(where, named, names))
    return found


def preflight(absent: Sequence[Absent], hub: Hub) -> Preflight:
    """Ask the Hub whether files can be had, and compare their size with the disk; nothing is downloaded."""
    problems: list[Problem] = []
    size = 0
    for one in absent:
        if hub.settings.offline:
            what = f"{len(one.names)} of its files are not in {hub.settings.cache}, and {offline().what}"
            problems.append(one.problem(HubError(what, offline().remedy)))
            continue
        try:
            listing = listed(hub, one.named)
        except HubError as error:
            problems.append(one.problem(error))
            continue
        wrong = [*_access_problems(one, listing, hub)]
        problems += wrong
        size += 0 if wrong else sum(listing.files[name].size for name in one.names)
    return Preflight(list(dict.fromkeys([*problems, *room_problems(hub.settings.cache, size)])), size)


def listed(hub: Hub, named: NamedFiles) -> Listing:
    """Return the repository that a source names; raises `HubError`."""
    assert named.source.repository is not None
    return hub.listing(named.source.repository, named.source.revision or "main")


def _access_problems(one: Absent, listing: Listing, hub: Hub) -> Iterator[Problem]:
    assert one.named.source.repository is not None
    for name in one.names:
        if name not in listing.files:
            yield one.problem(HubError("the repository has no such file", "pin the manifest anew"), name)
    there = [name for name in one.names if name in listing.files]
    if listing.gated and there:
        try:
            hub.require_access(one.named.source.repository, listing.commit, there[0])
        except HubError as error:
            yield one.problem(error)


def room_problems(cache: Path, size: int) -> list[Problem]:
    """Compare what is to be downloaded with what the disk has free."""
    existing = next(path for path in (cache.absolute(), *cache.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(existing).free
    if size <= free:
        return []
    what = f"{size // MIB} MiB are to be downloaded and {free // MIB} MiB are free"
    return [Problem(str(cache), what, "free some, or name a larger disk with HF_HOME")]


def fetch(absent: Iterable[Absent], hub: Hub, places: Places, tell: Callable[[str], None]) -> list[Problem]:
    """Download files and hold them against their digests; return what did not succeed.

    Args:
        absent: as `absent_files` found it, with a preflight that found nothing.
        hub: where from.
        places: where to.
        tell: is told each file that is being fetched.
    """
    problems: list[Problem] = []
    for one in absent:
        pinned = one.named.source.files
        is_right = _as_pinned(places, one, pinned)
        problems += brought(one, hub, places, is_right, tell)
    return problems


def _as_pinned(places: Places, one: Absent, pinned: object) -> Callable[[str], str]:
    assert isinstance(pinned, dict)

    def wrong(name: str) -> str:
        found = places.digests_of(one.named.source, [name])[name]
        return "" if found == pinned[name] else f"was pinned as {pinned[name]} and the Hub gives {found}"

    return wrong


def brought(
    one: Absent, hub: Hub, places: Places, wrong: Callable[[str], str], tell: Callable[[str], None]
) -> list[Problem]:
    """Download the files of one repository side by side; return what did not succeed.

    Args:
        one: which.
        hub: where from.
        places: where to.
        wrong: says what is wrong with a file that is there, or nothing. What went wrong is tried again, once: it was
            more often the line than the Hub.
        tell: is told each file that is being fetched.
    """
    source = one.named.source
    repo, revision = source.repository, source.revision
    assert repo is not None

    def bring(name: str) -> list[Problem]:
        path = places.file(source, name)
        failure = HubError("the Hub gives another commit than was asked for", "look at HF_ENDPOINT")
        for again in (path.is_file(), True):
            tell(f"fetching {source.name}/{name}{' again' if again else ''}")
            try:
                hub.download(repo, revision, name, again=again)
            except HubError as error:
                failure = error
                continue
            what = wrong(name) if path.is_file() else failure.what
            if not what:
                return []
            failure = HubError(what, "look at HF_ENDPOINT, or pin the manifest anew")
        return [one.problem(failure, name)]

    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        return [problem for found in pool.map(bring, one.names) for problem in found]
