"""Pinning a source on the Hub: its branch to a commit, its files to their digests."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import structs

from kit.core.errors import OperationalError
from kit.spec.hub.content import is_as_listed
from kit.spec.hub.interface import HubError
from kit.spec.manifest.fetch import Absent, brought, listed, room_problems
from kit.spec.manifest.files import name_problems
from kit.spec.manifest.pin_folder import chosen

if TYPE_CHECKING:
    from collections.abc import Callable

    from kit.core.canonical import Json
    from kit.core.errors import Problem
    from kit.spec.hub.interface import Hub, Listing
    from kit.spec.manifest.files import NamedFiles
    from kit.spec.manifest.parts import Document
    from kit.spec.manifest.places import Places

COMMIT = re.compile(r"[0-9a-f]{40}")


def is_pinned(part: Document) -> bool:
    """Tell whether nothing has to be asked of the Hub about a source."""
    files = part.get("files") or {}
    return bool(files) and None not in files.values() and COMMIT.fullmatch(part.get("revision") or "") is not None


def pin_repo(
    named: NamedFiles, part: Document, where: str, filled: dict[str, Json], places: Places, hub: Hub
) -> tuple[NamedFiles, list[Problem]]:
    """Fill in commit, names of files, and whether the repository is gated; bring the files.

    Returns:
        The source as it is now known, whose digests are still to be filled in, and what is wrong with it.

    Raises:
        OperationalError: the Hub does not give it.
    """
    one = Absent(where, named, named.names)
    if hub.settings.offline:
        raise OperationalError([one.problem(HubError("a draft is pinned by asking the Hub", "unset HF_HUB_OFFLINE"))])
    try:
        listing = listed(hub, named)
        _fill_in(named, part, filled, listing)
        source = structs.replace(named.source, revision=listing.commit)
        named = replace(named, source=source, names=tuple(part["files"]))
        one = Absent(where, named, named.names)
        if problems := _name_problems(one, listing):
            return named, problems
        if problems := room_problems(hub.settings.cache, _to_download(one, listing, places)):
            raise OperationalError(problems)
        if listing.gated:
            hub.require_access(source.repository, listing.commit, named.names[0])  # type: ignore[arg-type]  # it has one
    except HubError as error:
        raise OperationalError([one.problem(error)]) from error
    wrong = _as_listed(one, listing, places)
    missing = tuple(name for name in named.names if not places.file(source, name).is_file() or wrong(name))
    if problems := brought(replace(one, names=missing), hub, places, wrong, lambda _: None):
        raise OperationalError(problems)
    return named, []


def _fill_in(named: NamedFiles, part: Document, filled: dict[str, Json], listing: Listing) -> None:
    asked = named.source.revision or "main"
    if part.get("revision") != listing.commit:
        part["revision"] = listing.commit
        filled[f"{named.place}.revision"] = f"{listing.commit}, where {asked} is now"
    if listing.gated and part.get("gated") is None:
        part["gated"] = filled[f"{named.place}.gated"] = True
    # Where from comes first, for readers and for `reproduce.sh`, which reads without a parser.
    ordered = {name: part[name] for name in ("repo", "revision", "gated") if name in part} | part
    part.clear()
    part |= ordered
    if part.get("files") is None:
        choice = chosen(named, listing.files)
        part["files"] = dict.fromkeys(choice.names)
        filled[f"{named.place}.files"] = choice.told()


def _name_problems(one: Absent, listing: Listing) -> list[Problem]:
    close = "its files are: " + ", ".join(sorted(listing.files)[:12])
    problems = [
        one.problem(HubError("the repository has no such file", close), name)
        for name in one.names
        if name not in listing.files
    ]
    return problems + (name_problems(one.named, one.where, listing.files) if one.named.is_model else [])


def _to_download(one: Absent, listing: Listing, places: Places) -> int:
    absent = [name for name in one.names if not places.file(one.named.source, name).is_file()]
    return sum(listing.files[name].size for name in absent)


def _as_listed(one: Absent, listing: Listing, places: Places) -> Callable[[str], str]:
    def wrong(name: str) -> str:
        if is_as_listed(places.file(one.named.source, name), listing.files[name]):
            return ""
        return "what the Hub gives is not what it lists"

    return wrong
