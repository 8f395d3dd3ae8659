"""The blocks of `payload/metrics.json`: those whose version this kit has are computed again, the others are named.

An honest bundle of a later kit has blocks that this one does not know. A liar can say of any block that it is one of
those, so nothing is passed over in silence: each is told with what this kit makes of the same rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.core import fields
from kit.core.canonical import canonical_json, read_json
from kit.core.errors import Problem, child_path
from kit.stats import metrics

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from kit.bundle.contents import Contents
    from kit.core.canonical import Json

MAX_NUMBERS_NAMED = 20
"""How many numbers are named when many differ: one wrong row moves dozens."""
_MAX_SHOWN = 80
"""How many characters of a stranger's value a message shows."""
_NAME = re.compile(r"[a-z][a-z_]{0,40}")
_MAX_BLOCKS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockCheck:
    """What came of one block."""

    name: str
    version: int | None
    """As the bundle says it; None where it lacks a block that this kit writes."""
    recomputed: bool
    why_not: str
    """Why it was not, in a sentence; empty where it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedBlocks:
    """What came of all of them."""

    blocks: tuple[BlockCheck, ...]
    problems: tuple[Problem, ...]
    current: dict[str, Json]
    """The metrics as this kit writes them."""
    numbers: int
    """Leaves that were computed again and compared."""

    @property
    def are_current(self) -> bool:
        """Whether the bundle has the blocks that this kit writes, at the same versions, and no others."""
        return {one.name: one.version for one in self.blocks} == self.current[metrics.VERSIONS]


def check_blocks(folder: Path, files: Collection[str], contents: Contents) -> CheckedBlocks:
    """Compute again what can be, of the blocks that a bundle publishes; `files` are the names of its files.

    Raises:
        CheckFailed: the document is not strict JSON, or a verdict does not belong to its evaluation.
    """
    where = f"{folder}/{layout.METRICS}"
    current = metrics.compute(contents)
    if str(layout.METRICS) not in files:
        return CheckedBlocks(blocks=(), problems=(Problem(where, "is missing"),), current=current, numbers=0)
    document = read_json(folder / layout.METRICS)
    said = _versions(document)
    if said is None or not isinstance(document, dict):
        what = f"is not made of blocks of which `{metrics.VERSIONS}` says the version"
        return CheckedBlocks(blocks=(), problems=(Problem(where, what),), current=current, numbers=0)
    known = {block.name: block.version for block in metrics.BLOCKS if said.get(block.name) == block.version}
    again = current if known == current[metrics.VERSIONS] else metrics.compute(contents, known)
    published: dict[str, Json] = {metrics.VERSIONS: {**known}, **{name: document[name] for name in known}}
    return CheckedBlocks(
        blocks=tuple(_checks(document, said, known, current)),
        problems=tuple(_differences(where, published, again)),
        current=current,
        numbers=len(leaves(again)),
    )


def _versions(document: Json) -> dict[str, int] | None:
    """Return the version of each block as the document says it; None where it says it of other keys than it has."""
    said = document.get(metrics.VERSIONS) if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(said, dict) or len(said) > _MAX_BLOCKS:
        return None
    if not all(map(_NAME.fullmatch, said)) or said.keys() != document.keys() - {metrics.VERSIONS}:
        return None
    try:
        return fields.versions(said)
    except fields.FieldError:
        return None


def _checks(
    document: Mapping[str, Json], said: Mapping[str, int], known: Mapping[str, int], current: Mapping[str, Json]
) -> Iterator[BlockCheck]:
    mine = metrics.current_versions()
    for name in sorted({*said, *mine}):
        why_not = ""
        if name not in said:
            why_not = f"the bundle lacks it, and this kit writes its version {mine[name]}"
        elif name not in mine:
            why_not = f"the bundle has its version {said[name]}, and this kit has no such block"
        elif name not in known:
            one, other = leaves(document[name]), leaves(current[name])
            both = one.keys() & other.keys()
            same = sum(one[path] == other[path] for path in both)
            why_not = (
                f"the bundle has its version {said[name]}, and this kit writes version {mine[name]}, "
                f"which gives the same for {same} of {len(both)} numbers that both have"
            )
        yield BlockCheck(name=name, version=said.get(name), recomputed=not why_not, why_not=why_not)


def _differences(where: str, published: Json, again: Json) -> Iterator[Problem]:
    """Yield the published numbers that the rows do not give."""
    if canonical_json(published) == canonical_json(again):
        return
    one, other = leaves(published), leaves(again)
    paths = [path for path in sorted({*one, *other}) if one.get(path) != other.get(path)]
    for path in paths[:MAX_NUMBERS_NAMED]:
        said, given = (numbers.get(path, "nothing")[:_MAX_SHOWN] for numbers in (one, other))
        yield Problem(where, f"says {said} where the rows give {given}", "", path)
    if not 0 < len(paths) <= MAX_NUMBERS_NAMED:
        yield Problem(where, f"is not what the rows give; {len(paths)} numbers differ")


def leaves(value: Json, path: str = "$") -> dict[str, str]:
    """Return every number, text and empty container of a document, in RFC 8785 form, by its JSON path."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: dict[str, str] = {}
    for key, item in children:
        found |= leaves(item, child_path(path, key))
    return found or {path: canonical_json(value).decode()}
