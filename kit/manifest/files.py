"""The files that a manifest names: present, unchanged, and nothing that could run code."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from kit.canonical import read_json
from kit.digests import file_digest
from kit.errors import KitError, Problem, Trouble, child_path
from kit.paths import UnsafePathError, inside, regular_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from kit.manifest.parts import Document, Source

MODEL_SUFFIXES = frozenset({".json", ".jinja", ".md", ".model", ".safetensors", ".txt", ""})
"""What a model folder may hold. Pickles run code when they are loaded, and Python is code."""


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """Some files of a manifest and where it names them."""

    place: str
    """JSON path of the source, such as `$.model`."""
    folder: str
    names: tuple[str, ...]
    is_model: bool
    """Whether the folder as a whole is handed to the trainer and the engine."""


def named_files(document: Document) -> Iterator[tuple[NamedFiles, Document]]:
    """Yield every source of a document, whose `files` may still be missing or null, with its part of the document."""
    adapter = (document["finetune"] or {}).get("adapter")
    parts = [("$.model", document["model"], True)]
    parts += [(child_path("$.data", name), data, False) for name, data in document["data"].items()]
    parts += [("$.finetune.adapter", adapter, True)] if adapter else []
    template = document["model"].get("template")
    parts += [("$.model.template", template, False)] if template else []
    for index, variation in enumerate(document["variations"]):
        for pointer in ("/model/template", "/finetune/adapter"):
            own, place = variation["set"].get(pointer), f"$.variations[{index}].set[{pointer!r}]"
            if _is_source(own):
                parts.append((place, own, pointer != "/model/template"))
    for place, part, is_model in parts:
        yield _named(place, part, is_model=is_model)
    for name, judge in document["judges"].items():
        yield from judge_files(judge, child_path("$.judges", name))


def _is_source(value: object) -> bool:
    """Tell whether a variation's new value has the form of a source; the schema looks at it later."""
    if not isinstance(value, dict) or not isinstance(value.get("path"), str):
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


def _named(place: str, part: Document, *, is_model: bool) -> tuple[NamedFiles, Document]:
    return NamedFiles(place, part["path"], tuple(part.get("files") or ()), is_model), part


def source_problems(sources: Iterable[tuple[NamedFiles, Document]], root: Path, where: str) -> list[Problem]:
    """Return what is wrong with pinned files."""
    problems: list[Problem] = []
    for named, part in sources:
        unusable = usability_problems(root, named, where)
        problems += unusable
        for name, digest in ({} if unusable else digests(root, named)).items():
            if digest != part["files"][name]:
                what = f"was pinned as {part['files'][name]} and is {digest}"
                remedy = "get the file that was pinned, or pin the manifest anew"
                problems.append(Problem(where, what, remedy, child_path(f"{named.place}.files", name)))
    return problems


def usability_problems(root: Path, named: NamedFiles, where: str) -> list[Problem]:
    """Return which of the named files are missing or out of bounds, and what a model's folder must not hold."""
    problems = _listing_problems(root, named, where)
    return problems + _model_folder_problems(root, named, where) if named.is_model else problems


def _listing_problems(root: Path, named: NamedFiles, where: str) -> list[Problem]:
    problems = []
    for name in named.names:
        place = child_path(f"{named.place}.files", name)
        try:
            target = inside(root, named.folder, name)
        except UnsafePathError as error:
            problems.append(Problem(where, str(error), "keep files below the manifest's folder", place))
            continue
        if not _is_file(target):
            problems.append(Problem(where, f"{named.folder}/{name} is missing", f"put it at {target}", place))
    return problems


def _model_folder_problems(root: Path, named: NamedFiles, where: str) -> list[Problem]:
    place = f"{named.place}.path"
    try:
        folder = inside(root, named.folder)
        present = regular_files(folder)
    except (UnsafePathError, OSError) as error:
        return [Problem(where, f"{named.folder}: {error}", "keep the model below the manifest's folder", place)]
    if not present:
        return [Problem(where, f"{named.folder} is not a folder with files", "check the name", place)]
    problems = []
    for name in present:
        if PurePosixPath(name).suffix not in MODEL_SUFFIXES:
            what = f"{named.folder}/{name} could run code when it is loaded"
            problems.append(Problem(where, what, "convert the weights to safetensors and remove it", place))
        elif name not in named.names:
            what = f"{named.folder}/{name} is not named"
            problems.append(Problem(where, what, "remove it, or pin the manifest anew", f"{named.place}.files"))
    return problems + _remote_code_problems(folder, where, place)


def digests(root: Path, named: NamedFiles) -> dict[str, str]:
    """Return the digest of each file; large ones side by side, since hashing releases the interpreter.

    Raises:
        Trouble: a file cannot be read.
    """
    paths = [inside(root, named.folder, name) for name in named.names]
    with ThreadPoolExecutor(max_workers=8) as pool:
        return dict(zip(named.names, pool.map(_digest, paths), strict=True))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file system holds
        return False


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise Trouble.of(path, f"cannot be read ({error.strerror})", "check its permissions") from error


def size_bytes(root: Path, source: Source) -> int:
    """Return the summed size of a source's files."""
    return sum(inside(root, source.path, name).stat().st_size for name in source.files)


def _remote_code_problems(folder: Path, where: str, path: str) -> list[Problem]:
    problems: list[Problem] = []
    for name in ("config.json", "tokenizer_config.json"):
        if not (folder / name).is_file():
            continue
        try:
            config = read_json(folder / name)
        except KitError as error:
            problems.extend(error.problems)
            continue
        if isinstance(config, dict) and "auto_map" in config:
            what = f"{name} asks for code of its own (auto_map)"
            problems.append(Problem(where, what, "the kit runs no remote code; use a model that needs none", path))
    return problems
