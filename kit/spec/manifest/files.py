"""The files that a manifest names: present, unchanged, and nothing that could run code."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal

from kit.core.cells import BASE, TUNED
from kit.core.errors import Problem, child_path
from kit.core.paths import UnsafePathError, names_in
from kit.spec.checkpoint.loadable import Fault, adapter_faults, code_faults, config_problems, weight_faults
from kit.spec.judges import asks_model
from kit.spec.manifest.parts import DataSource, Source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from kit.spec.manifest.load import LoadedManifest
    from kit.spec.manifest.parts import Document
    from kit.spec.manifest.places import Places

_IN_CACHE = "or name `repo` and `revision`, whose files are read from the Hub's cache (HF_HUB_OFFLINE=1 asks nobody)"


Role = Literal["model", "adapter", "files"]

TEMPLATE = "/model/template"
"""Pointer by which a variation puts another chat template in place."""


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """Some files of a manifest and where it names them."""

    place: str
    """JSON path of the source, such as `$.model`."""
    source: Source
    names: tuple[str, ...]
    role: Role
    """A `model` and an `adapter` are handed to the trainer and the engine as folders, of `files` each by itself."""

    @property
    def is_model(self) -> bool:
        """Whether the folder as a whole is handed to the trainer and the engine."""
        return self.role != "files"

    @property
    def is_adapter(self) -> bool:
        """Whether it is an adapter's, which stands on a model."""
        return self.role == "adapter"


def named_files(document: Document) -> Iterator[tuple[NamedFiles, Document]]:
    """Yield every source of a document, whose `files` may still be missing or null, with its part of the document."""
    adapter = (document["finetune"] or {}).get("adapter")
    # Recorded answers are a data set's file, which no trainer and no engine is handed.
    is_recorded = document["model"].get("answers") == "recorded"
    base: tuple[Role, type[Source]] = ("files", DataSource) if is_recorded else ("model", Source)
    parts: list[tuple[str, Document, Role, type[Source]]] = [("$.model", document["model"], *base)]
    parts += [(child_path("$.data", name), data, "files", DataSource) for name, data in document["data"].items()]
    parts += [("$.finetune.adapter", adapter, "adapter", Source)] if adapter else []
    template = document["model"].get("template")
    parts += [("$.model.template", template, "files", Source)] if template else []
    for index, variation in enumerate(document["variations"]):
        for pointer in (TEMPLATE, "/finetune/adapter"):
            own, place = variation["set"].get(pointer), f"$.variations[{index}].set[{pointer!r}]"
            if is_source(own):
                parts.append((place, own, "files" if pointer == TEMPLATE else "adapter", Source))
    for part in parts:
        yield _named(*part)
    for name, judge in document["judges"].items():
        yield from judge_files(judge, child_path("$.judges", name))


def every_source(loaded: LoadedManifest) -> Iterator[tuple[str, NamedFiles, Document]]:
    """Yield the sources of every arm, with the manifest or variation that names them; what arms share comes once."""
    seen: list[Source] = []
    for arm, manifest in loaded.arms.items():
        where = str(loaded.path) if arm in (BASE, TUNED) else f"{loaded.path} (variation {arm!r})"
        for named, part in named_files(manifest.to_json()):
            if named.source not in seen:
                seen.append(named.source)
                yield where, named, part


def is_source(value: object) -> bool:
    """Tell whether a variation's new value has the form of a source; the schema looks at it later."""
    if not isinstance(value, dict) or not isinstance(value.get("path", value.get("repo", value.get("shipped"))), str):
        return False
    files = value.get("files")
    return isinstance(files, dict) and all(isinstance(digest, str | None) for digest in files.values())


def judge_files(judge: Document, place: str) -> Iterator[tuple[NamedFiles, Document]]:
    """Yield the sources of one judge, whose entry stands at `place`."""
    if asks_model(judge["kind"]):
        yield _named(f"{place}.model", judge["model"], "model")
        if judge["model"].get("template"):
            yield _named(f"{place}.model.template", judge["model"]["template"], "files")
        yield _named(f"{place}.template", judge["template"], "files")


def _named(place: str, part: Document, role: Role, kind: type[Source] = Source) -> tuple[NamedFiles, Document]:
    return NamedFiles(place, kind.named_in(part), tuple(part.get("files") or ()), role), part


def source_problems(sources: Iterable[tuple[NamedFiles, Document]], places: Places, where: str) -> list[Problem]:
    """Return what is wrong with pinned files."""
    problems: list[Problem] = []
    for named, part in sources:
        missing = _listing_problems(places, named, where)
        problems += missing or load_problems(places, named, where)
        for name, digest in ({} if missing else places.digests_of(named.source, named.names)).items():
            if digest != part["files"][name]:
                what = f"was pinned as {part['files'][name]} and is {digest}"
                remedy = "get the file that was pinned, or pin the manifest anew"
                problems.append(Problem(where, what, remedy, child_path(f"{named.place}.files", name)))
    return problems


def usability_problems(places: Places, named: NamedFiles, where: str) -> list[Problem]:
    """Return which of the named files are missing or out of bounds, else why a model or an adapter cannot be loaded."""
    return _listing_problems(places, named, where) or load_problems(places, named, where)


def load_problems(places: Places, named: NamedFiles, where: str) -> list[Problem]:
    """Return why a model or an adapter, whose files are all there, cannot be loaded; nothing of other files."""
    if not named.is_model:
        return []
    if problems := name_problems(named, where, _beside(places, named)):
        return problems
    found = config_problems(named.names, lambda name: places.file(named.source, name), is_adapter=named.is_adapter)
    return [one if isinstance(one, Problem) else _problem(one, named, where) for one in found]


def name_problems(named: NamedFiles, where: str, beside: Collection[str] = ()) -> list[Problem]:
    """Return why a model or an adapter cannot be loaded, as far as the names of its files tell.

    Args:
        named: the files.
        where: the manifest.
        beside: names of all files that lie there.
    """
    lacks = (adapter_faults if named.is_adapter else weight_faults)(named.names, beside)
    return [_problem(fault, named, where) for fault in chain(code_faults(named.names), lacks)]


def _problem(fault: Fault, named: NamedFiles, where: str) -> Problem:
    place = f"{named.place}.{'repo' if named.source.repo else 'path'}"
    return Problem(where, f"{named.source.name}: {fault.what}", fault.remedy, place)


def _beside(places: Places, named: NamedFiles) -> list[str]:
    try:
        return names_in(places.folder(named.source))
    except (UnsafePathError, OSError):
        return []


def _listing_problems(places: Places, named: NamedFiles, where: str) -> list[Problem]:
    problems = []
    for name in named.names:
        place = child_path(f"{named.place}.files", name)
        try:
            target = places.file(named.source, name)
        except UnsafePathError as error:
            problems.append(Problem(where, str(error), outside_remedy(places, named), place))
            continue
        if not _is_file(target):
            problems.append(Problem(where, f"{named.source.name}/{name} is missing", _remedy(named, target), place))
    return problems


def outside_remedy(places: Places, named: NamedFiles) -> str:
    """Return what to do about files that lie outside of the manifest's folder."""
    folder = (places.root / (named.source.path or "")).resolve()
    keep = "keep files below the manifest's folder"
    return f"{keep}, {_IN_CACHE}" if {"snapshots", "blobs"}.intersection(folder.parts) else keep


def _remedy(named: NamedFiles, target: Path) -> str:
    return "`kit fetch` brings it" if named.source.repo else f"put it at {target}"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file system holds
        return False
