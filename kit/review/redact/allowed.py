"""What may stand in a shared bundle beside the rows: an allow-list, field by field (docs/redaction.md).

A field that is not named here does not pass. So a field that a later kit writes is withheld until somebody decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from kit.bundle.missing import OUT_OF_MEMORY
from kit.spec.backends.interface import UNPROMISED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kit.core.canonical import Json

Shape: TypeAlias = "frozenset[str] | list[Shape] | dict[str, Shape] | None"
"""None: a number, a truth value or a short text. A set: one of these texts. A list: of such items. An object: these
fields; `*` stands for fields of any name."""

MAX_TEXT = 200
"""Longest text in characters that passes as a name, a version or a digest."""

_KIT: Shape = {"version": None, "source": None}
_MERGED: Shape = {"off": None, "moved": None, "largest": None}
_STEPS: Shape = [{"step": None, "seconds": None, "reused": None, "merged": _MERGED}]
"""Without their keys, which are unsalted digests of what was asked."""

ENVIRONMENT: Shape = {
    "python": None,
    "packages": {"*": None},
    "lock": None,
    "image": None,
    "base_image": None,
    "platform": {
        "system": None,
        "c_library": None,
        "machine": None,
        "cpu": None,
        "vector_extensions": [None],
        "cores": None,
        "memory_mib": None,
    },
    "accelerators": [{"model": None, "memory_mib": None, "driver": None, "cuda": None}],
    "switches": {"*": None},
    "system_packages": {"*": None},
}
_FROM: Shape = {"*": {"distribution": None, "version": None}}
_PLUGINS: Shape = {"judges": _FROM, "formats": _FROM}
"""Without what a judge says of itself, which could be any text."""
RUN: Shape = {
    "kit": _KIT,
    "plugins": _PLUGINS,
    "start": None,
    "end": None,
    "engine": {"name": None, "can": dict.fromkeys(UNPROMISED)},
    "engine_loads": None,
    "rehearsal": {"done": None, "arms": [None], "seconds": None},
    "steps": _STEPS,
    "missing": [{"step": None, "why": frozenset({OUT_OF_MEMORY}), "cells": [None]}],
}
READING: Shape = {
    "plugins": _PLUGINS,
    "original": None,
    "judges": [None],
    "kit": _KIT,
    "start": None,
    "end": None,
    "engine_loads": None,
    "steps": _STEPS,
    "environment": ENVIRONMENT,
}
TRAINING: dict[str, Shape] = {
    "step0_weights": None,
    "weights": None,
    "order": [None],
    "rows": None,
    "cut": None,
    "dropped": None,
    "dropped_ids": [None],
    "template": None,
    "trainable_parameters": None,
}
TRAINING_WITH_LOSSES: Shape = {
    **TRAINING,
    "losses": [{"step": None, "loss": None, "grad_norm": None, "learning_rate": None}],
}
"""A loss is a function of the few rows of one batch: whoever has the base model can try rows that they guess."""


def self_test(known: Iterable[str]) -> Shape:
    """Return what may stand in `record/selftest.json`; `known` are the names that an answer may go by there."""
    changed: Shape = [frozenset(known)]
    return {
        "prompts": None,
        "changed": changed,
        "order": None,
        "at_once": None,
        "cells": {"*": {"prompts": None, "changed": changed}},
        "judges": {"*": {"cell": None, "prompts": None, "changed": changed}},
    }


def only_allowed(document: dict[str, Json], shape: Shape) -> dict[str, Json]:
    """Return of an object what its shape lets pass."""
    kept = _kept(document, shape)
    assert isinstance(kept, dict)
    return kept


def _kept(value: Json, shape: Shape) -> Json:
    if isinstance(shape, dict):
        fields = value.items() if isinstance(value, dict) else ()
        named = ((name, item, shape.get(name, shape.get("*", frozenset()))) for name, item in fields)
        return {name: _kept(item, inner) for name, item, inner in named if _passes(item, inner)}
    if isinstance(shape, list):
        items = value if isinstance(value, list) else ()
        return [_kept(item, shape[0]) for item in items if _passes(item, shape[0])]
    return value


def _passes(value: Json, shape: Shape) -> bool:
    if isinstance(shape, dict):
        return isinstance(value, dict)
    if isinstance(shape, list):
        return isinstance(value, list)
    if isinstance(shape, frozenset):
        return isinstance(value, str) and value in shape
    return not isinstance(value, dict | list) and (not isinstance(value, str) or len(value) <= MAX_TEXT)
