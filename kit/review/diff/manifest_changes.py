"""What two manifests say differently, and what each difference can do.

The environment that a manifest pins is left out: what counts is the one that ran, which the record has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.core.cells import BASE
from kit.core.errors import child_path
from kit.review.diff.evidence import Change, Influence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.core.canonical import Json
    from kit.spec.manifest.model import Manifest

_RULES: tuple[tuple[str, Influence, str], ...] = (
    (r"name|description|schema_version|expect.*|credit.*", Influence.NONE, "a label"),
    (
        r"((judges\.[^.]+\.)?(model(\.template)?|template)|data\.[^.]+|finetune\.adapter)\.(path|repo|revision|gated)",
        Influence.NONE,
        "where files lay, not what they are",
    ),
    (r"data\.[^.]+\.(license|publish)", Influence.NONE, "a label"),
    (r"seeds\..+", Influence.NONE, "which cells there are"),
    (r"(data|evaluations|judges|variations)\.[^.]+", Influence.NONE, "which cells there are"),
    (r"evaluations\.[^.]+\.judges", Influence.NONE, "which judges were asked"),
    (r"evaluations\.[^.]+\.data", Influence.NONE, "a name; the prompts themselves are compared"),
    (r"(judges\.[^.]+\.)?model\.dtype", Influence.LIKELY, "other roundings in every layer"),
    (r"finetune\.serving", Influence.LIKELY, "merged and adapter weights round differently"),
    (r"finetune\.training\.dtype", Influence.LIKELY, "other roundings at every training step"),
    (r"finetune\.training\.gradient_checkpointing", Influence.POSSIBLE, "other order of operations in training"),
    (r"(judges\.[^.]+\.)?engine\..+", Influence.POSSIBLE, "other batches, hence other sums"),
    (r"evaluations\.[^.]+\.prompt_order_seed", Influence.POSSIBLE, "other batches, hence other sums"),
)
"""Dotted path → what a change there can do. What no rule knows makes another experiment."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that occur in the cells in common."""

    arms: frozenset[str]
    evaluations: frozenset[str]
    judges: frozenset[str]


def manifest_changes(a: Manifest, b: Manifest, scope: Scope) -> list[Change]:
    """Return every difference between two manifests, in the order of their paths."""
    asked = frozenset(part.data for manifest in (a, b) for part in manifest.evaluations.values())
    trained = frozenset(manifest.finetune.data for manifest in (a, b) if manifest.finetune)
    changes = []
    for path, before, after in _differences((), _document(a), _document(b)):
        influence, explains = _influence(path, before, after)
        if influence is Influence.EXPERIMENT and path[0] == "data" and path[1] in asked - trained:
            influence, explains = Influence.UNLIKELY, "the prompts themselves are compared"
        if influence is Influence.EXPERIMENT and not _touches(path, scope):
            influence, explains = Influence.NONE, "touches no cell in common"
        changes.append(Change("manifest", _json_path(path), before, after, influence, explains))
    return changes


def _document(manifest: Manifest) -> dict[str, Json]:
    variations: dict[str, Json] = {variation.name: dict(variation.set) for variation in manifest.variations}
    return {**manifest.to_json(), "environment": None, "variations": variations}


def _differences(path: tuple[str, ...], a: Json, b: Json) -> Iterator[tuple[tuple[str, ...], Json, Json]]:
    """Walk two values; lists are compared whole, since here they are axes and selections."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted({*a, *b}):
            yield from _differences((*path, key), a.get(key), b.get(key))
    elif a != b:
        yield path, a, b


def _influence(path: tuple[str, ...], a: Json, b: Json) -> tuple[Influence, str]:
    for pattern, influence, explains in _RULES:
        if re.fullmatch(pattern, ".".join(path)):
            return influence, explains
    return Influence.EXPERIMENT, "another experiment" if a is not None and b is not None else "only one side has it"


def _touches(path: tuple[str, ...], scope: Scope) -> bool:
    """Tell whether a part of the manifest decides any of the cells in common."""
    section, name = path[0], path[1] if len(path) > 1 else ""
    if section in ("finetune", "data"):
        return scope.arms != {BASE}
    names = {"evaluations": scope.evaluations, "judges": scope.judges, "variations": scope.arms}
    return name in names[section] if section in names else True


def _json_path(path: tuple[str, ...]) -> str:
    text = "$"
    for key in path:
        text = child_path(text, key)
    return text
