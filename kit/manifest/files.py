"""The files that a manifest names: present, unchanged, and nothing that could run code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from kit.cells import BASE, TUNED
from kit.errors import KitError, Problem, child_path
from kit.hub.interface import DATASET, MODEL
from kit.lenient import read_lenient_json
from kit.manifest.parts import Source
from kit.manifest.places import Places
from kit.paths import UnsafePathError, inside, regular_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from kit.manifest.load import LoadedManifest
    from kit.manifest.parts import Document

MODEL_SUFFIXES = frozenset({".json", ".jinja", ".md", ".model", ".safetensors", ".txt", ""})
"""What a model folder may hold. Pickles run code when they are loaded, and Python is code."""

TEMPLATE = "/model/template"
"""Pointer by which a variation puts another chat template in place."""


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """Some files of a manifest and where it names them."""

    place: str
    """JSON path of the source, such as `$.model`."""
    source: Source
    names: tuple[str, ...]
    is_model: bool
    """Whether the folder as a whole is handed to the trainer and the engine."""


def named_files(document: Document) -> Iterator[tuple[NamedFiles, Document]]:
    """Yield every source of a document, whose `files` may still be missing or null, with its part of the document."""
    adapter = (document["finetune"] or {}).get("adapter")
    # Recorded answers are a data set's file, which no trainer and no engine is handed.
    is_recorded = document["model"]["dtype"] == "recorded"
    parts = [("$.model", document["model"], not is_recorded, DATASET if is_recorded else MODEL)]
    parts += [(child_path("$.data", name), data, False, DATASET) for name, data in document["data"].items()]
    parts += [("$.finetune.adapter", adapter, True, MODEL)] if adapter else []
    template = document["model"].get("template")
    parts += [("$.model.template", template, False, MODEL)] if template else []
    for index, variation in enumerate(document["variations"]):
        for pointer in (TEMPLATE, "/finetune/adapter"):
            own, place = variation["set"].get(pointer), f"$.variations[{index}].set[{pointer!r}]"
            if is_source(own):
                parts.append((place, own, pointer != TEMPLATE, MODEL))
    for place, part, is_model, kind in parts:
        yield _named(place, part, is_model=is_model, kind=kind)
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
    if judge["kind"] == "model":
        yield _named(f"{place}.model", judge["model"], is_model=True)
        if judge["model"].get("template"):
            yield _named(f"{place}.model.template", judge["model"]["template"], is_model=False)
        yield _named(f"{place}.template", judge["template"], is_model=False)


def _named(place: str, part: Document, *, is_model: bool, kind: str = MODEL) -> tuple[NamedFiles, Document]:
    return NamedFiles(place, Source.from_json(part, kind), tuple(part.get("files") or ()), is_model), part


def source_problems(sources: Iterable[tuple[NamedFiles, Document]], places: Places, where: str) -> list[Problem]:
    """Return what is wrong with pinned files."""
    problems: list[Problem] = []
    for named, part in sources:
        unusable = usability_problems(places, named, where)
        problems += unusable
        for name, digest in ({} if unusable else places.digests_of(named.source, named.names)).items():
            if digest != part["files"][name]:
                what = f"was pinned as {part['files'][name]} and is {digest}"
                remedy = "get the file that was pinned, or pin the manifest anew"
                problems.append(Problem(where, what, remedy, child_path(f"{named.place}.files", name)))
    return problems


def usability_problems(places: Places, named: NamedFiles, where: str) -> list[Problem]:
    """Return which of the named files are missing or out of bounds, and what a model's folder must not hold."""
    problems = _listing_problems(places, named, where)
    if not named.is_model:
        return problems
    if named.source.repo is None:
        return problems + _model_folder_problems(places.root, named, where)
    return problems + code_problems(named, where) + (problems or _remote_code_problems(places, named, where))


def _listing_problems(places: Places, named: NamedFiles, where: str) -> list[Problem]:
    problems = []
    for name in named.names:
        place = child_path(f"{named.place}.files", name)
        try:
            target = places.file(named.source, name)
        except UnsafePathError as error:
            problems.append(Problem(where, str(error), "keep files below the manifest's folder", place))
            continue
        if not _is_file(target):
            problems.append(Problem(where, f"{named.source.name}/{name} is missing", _remedy(named, target), place))
    return problems


def _remedy(named: NamedFiles, target: Path) -> str:
    return "`kit fetch` brings it" if named.source.repo else f"put it at {target}"


def _model_folder_problems(root: Path, named: NamedFiles, where: str) -> list[Problem]:
    path, place = named.source.name, f"{named.place}.path"
    try:
        present = regular_files(inside(root, path))
    except (UnsafePathError, OSError) as error:
        return [Problem(where, f"{path}: {error}", "keep the model below the manifest's folder", place)]
    if not present:
        return [Problem(where, f"{path} is not a folder with files", "check the name", place)]
    problems = code_problems(replace(named, names=tuple(present)), where)
    for name in present:
        if name not in named.names and not may_run_code(name):
            what = f"{path}/{name} is not named"
            problems.append(Problem(where, what, "remove it, or pin the manifest anew", f"{named.place}.files"))
    return problems + _remote_code_problems(Places(root), replace(named, names=tuple(present)), where)


def may_run_code(name: str) -> bool:
    """Tell whether a file of a model could run code when the model is loaded."""
    return PurePosixPath(name).suffix not in MODEL_SUFFIXES


def code_problems(named: NamedFiles, where: str) -> list[Problem]:
    """Return which of a model's files could run code when they are loaded."""
    remedy = "leave it out of `files`" if named.source.repo else "convert the weights to safetensors and remove it"
    return [
        Problem(where, f"{named.source.name}/{name} could run code when it is loaded", remedy, _place(named))
        for name in named.names
        if may_run_code(name)
    ]


def _place(named: NamedFiles) -> str:
    return f"{named.place}.{'repo' if named.source.repo else 'path'}"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file system holds
        return False


def _remote_code_problems(places: Places, named: NamedFiles, where: str) -> list[Problem]:
    problems: list[Problem] = []
    for name in ("config.json", "tokenizer_config.json"):
        if name not in named.names:
            continue
        try:
            config = read_lenient_json(places.file(named.source, name))
        except KitError as error:
            problems.extend(error.problems)
            continue
        if "auto_map" in config:
            what = f"{name} asks for code of its own (auto_map)"
            remedy = "the kit runs no remote code; use a model that needs none"
            problems.append(Problem(where, what, remedy, _place(named)))
    return problems
