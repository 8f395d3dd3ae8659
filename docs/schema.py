# ruff: noqa: INP001 - a script beside the pages that describe what it writes
"""Writes what the kinds of judge and the formats say of themselves into the published schema: `python -m docs.schema`.

The rest of `schemas/manifest-1.schema.json` is written by hand; after a change of either, `python -m docs.reference`.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.core.plugins import FORM
from kit.spec.data import own_formats
from kit.spec.data.mapped import NAME as MAPPED
from kit.spec.judges import own_kinds
from kit.spec.manifest.schema import FILE, schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kit.spec.judges.interface import JudgeKind

Node = dict[str, Any]

PUBLISHED = Path(__file__).parents[1] / "schemas" / FILE
_OUTSIDE = "one that an installed distribution brings (docs/extending.md)"


def composed() -> Node:
    """Return the published schema with what the kinds say now."""
    whole = copy.deepcopy(schema())
    definitions = whole["$defs"]
    definitions["judge"] = _judge(own_kinds().values(), definitions["judge"])
    formats = sorted([*own_formats(), MAPPED])
    about = f"How the files are read; docs/formats.md describes each. Or {_OUTSIDE}."
    definitions["data_set"]["properties"]["format"] = _chosen(formats, about)
    return whole


def text() -> str:
    """Return the file."""
    return json.dumps(composed(), indent=2, ensure_ascii=False) + "\n"


def _chosen(names: list[str], about: str) -> Node:
    """Return the name of a kind: one of the kit's own, or one from outside."""
    return {
        "type": "string",
        "if": {"pattern": "/"},
        "then": {"pattern": FORM, "description": "DISTRIBUTION/NAME, both in small letters, digits and hyphens."},
        "else": {"enum": names},
        "description": about,
    }


def _judge(kinds: Iterable[JudgeKind], before: Node) -> Node:
    kinds = [*kinds]
    about = " ".join(f"`{kind.name}`: {kind.about}." for kind in kinds)
    own = {
        "kind": _chosen([kind.name for kind in kinds], f"{about} Or {_OUTSIDE}."),
        "rules": before["properties"]["rules"],
        "settings": {
            "type": "object",
            "description": "What a judge from outside is told; the kit's own have fields instead.",
        },
    }
    fields = {name: node for kind in kinds for name, node in kind.fields.items()}
    return {
        **before,
        "properties": {**own, **fields, "$comment": before["properties"]["$comment"]},
        "required": ["kind", "rules"],
        "allOf": [*(_fields_of(kind) for kind in kinds if kind.fields), _settings_from_outside()],
    }


def _fields_of(kind: JudgeKind) -> Node:
    barred = {"not": {}, "x-hint": f"remove it: only a judge of the kind `{kind.name}` has it"}
    return {
        "if": {"properties": {"kind": {"const": kind.name}}, "required": ["kind"]},
        "then": {"required": [*kind.fields], "x-hint": f"add it: a judge of the kind `{kind.name}` needs it"},
        "else": {"properties": dict.fromkeys(kind.fields, barred)},
    }


def _settings_from_outside() -> Node:
    barred = {"not": {}, "x-hint": "remove it: only a judge from outside has it"}
    return {"if": {"properties": {"kind": {"pattern": "^[^/]*$"}}}, "then": {"properties": {"settings": barred}}}


if __name__ == "__main__":
    PUBLISHED.write_text(text(), encoding="utf-8")
