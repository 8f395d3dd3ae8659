"""From a draft to a pinned manifest: defaults, digests, rules of the judges, environment."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from kit.canonical import Json, read_json
from kit.errors import Finding, Problem, child_path
from kit.judge import judge_of
from kit.manifest import schema
from kit.manifest.files import NamedFiles, digests, named_files, usability_problems
from kit.manifest.load import document_problems, loaded
from kit.paths import UnsafePathError, inside, regular_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kit.manifest.parts import Document


@dataclass(frozen=True, slots=True)
class Pinned:
    """A pinned document, and what `kit pin` filled in, by JSON path."""

    document: dict[str, Json]
    filled: dict[str, Json]


def pin(path: Path, environment: dict[str, Json]) -> Pinned:
    """Resolve a draft; a manifest that is pinned already comes out as it went in.

    Raises:
        Trouble: the draft cannot be read.
        Finding: the draft is not valid, or names files that do not exist or could run code.
    """
    where = str(path)
    given = read_json(path)
    full, filled = schema.with_defaults(given)
    if found := document_problems(full, where, draft=True):
        raise Finding(found)
    document = cast("Document", copy.deepcopy(full))
    problems = pin_files(path.parent, named_files(document), where, filled)
    for name, judge in document["judges"].items():
        rules = judge_of(judge).rules
        place = f"{child_path('$.judges', name)}.rules"
        if judge.get("rules") is None:
            judge["rules"] = filled[place] = rules
    if document.get("environment") is None:
        document["environment"] = environment
        filled["$.environment"] = (
            f"Python {environment['python']}, {len(cast('Document', environment['packages']))} packages"
        )
    if problems := problems or document_problems(document, where):
        raise Finding(problems)
    loaded(path, path.parent, document)
    return Pinned(document, filled)


def pin_files(
    root: Path, sources: Iterable[tuple[NamedFiles, Document]], where: str, filled: dict[str, Json]
) -> list[Problem]:
    """Fill in the digests; one that is there already is left for `kit check` to compare. Return what is wrong."""
    problems: list[Problem] = []
    for named, part in sources:
        if part.get("files") is None:
            try:
                part["files"] = dict.fromkeys(regular_files(inside(root, named.folder)))
            except (UnsafePathError, OSError) as error:
                place = f"{named.place}.path"
                problems.append(Problem(where, str(error), "keep files below the manifest's folder", place))
                continue
        whole = replace(named, names=tuple(part["files"]))
        unusable = usability_problems(root, whole, where)
        problems += unusable
        unknown = replace(named, names=tuple(name for name in whole.names if part["files"][name] is None))
        for name, digest in ({} if unusable else digests(root, unknown)).items():
            part["files"][name] = filled[child_path(f"{named.place}.files", name)] = digest
    return problems
