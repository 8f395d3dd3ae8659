# ruff: noqa: INP001 - a script beside the page that it writes
"""Prints the manifest's reference from its schema: `python -m docs.reference > docs/manifest.md`."""

from __future__ import annotations

import json
import sys
from textwrap import fill
from typing import TYPE_CHECKING, Any

from kit.spec.judges import kinds_for, own_kinds
from kit.spec.manifest.schema import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

Node = dict[str, Any]

INTRODUCTION = """# The manifest, field by field

<!-- Written by `python -m docs.reference` from schemas/manifest-1.schema.json: change that, not this file. -->

A manifest is one JSON file that says everything that decides a result. `kit init` writes a commented draft, `kit pin`
fills in what it can find out by itself, and `kit check` tells everything that is wrong.

- A **draft** may leave out every field with a default, and those that the tables mark *pinned*: `kit pin` writes them.
  A field marked – must be given.
- A **pinned** manifest has every field, except those marked *optional*. One that was pinned before a field existed is
  valid without it, and means null.
- A field that is not listed here is refused, as are duplicate keys. Each object below may also hold a `$comment` with a
  remark, which does not change the manifest's digest.
- Paths are relative to the manifest's own folder, use forward slashes, and never lead out of it.
- What has files has either a `path`, or a `repo` and its `revision`: a [repository on the Hub](hub.md). Data sets, and
  answers that were recorded, come from the Hub's data sets, everything else from its models.

Editors complete and check a manifest whose first field is `"$schema": "PATH/schemas/manifest-1.schema.json"`.
"""

RULES = """## What must fit together

The schema cannot say these; `kit check` and `kit pin` hold them too.

- `evaluations.*.data`, `finetune.data` and `evaluations.*.judges` name what exists.
JUDGES
- `evaluations.*.choices` belongs to `capability` at temperature 0, without `answer_after`; `training.data_seed` to rows
  that are shuffled; `training.quantization` to `lora`; `training.system_prompt` to conversations, not to the format
  `text`; `data.*.columns.system` to rows that have a `completion`.
- `seeds.training` has a seed where something is trained, and none where nothing is.
- `generation.max_tokens` leaves room for the prompt within `engine.max_model_len`; a whole prompt fits into
  `engine.max_num_batched_tokens`.
- A variation changes what exists, gives a valid manifest, and keeps model, prompts, judges, seeds and environment.
- `expect.numbers` names arms, evaluations, judges and rates that the run has: `refusal_rate`, `compliance_rate`,
  `partial_rate` and `incoherent_rate` for safety, `accuracy` and `incoherent_rate` for capability.
"""

SIMPLE = ("name", "seed", "digest", "column", "relative_path", "repo", "revision")
"""Definitions that are types of a single value, not objects of their own."""
SOURCES = ({"$ref": "#/$defs/source"}, {"$ref": "#/$defs/template_source"})
"""The rules of what has files: they are said once, above, and not with every such object."""
ONE_OF_TWO = {
    "path": "–, or `repo`", "repo": "–, or `path`", "revision": "*pinned*, with `repo`",
    "answers": "–, or `dtype`", "dtype": "–, or `answers`",
}  # fmt: skip


def reference() -> str:
    """Return docs/manifest.md."""
    definitions: Node = schema()["$defs"]
    parts = [INTRODUCTION, _section("The whole", schema()), _simple_types(definitions)]
    parts += [_section(f"`{name}`", node) for name, node in definitions.items() if "properties" in node]
    return "\n".join([*parts, RULES.replace("JUDGES", _judges())])


def _judges() -> str:
    """Return which kinds of judge judge what, and what they need."""
    said = [f"`{name}` is judged by {_listed([*kinds_for(name)])}." for name in ("safety", "capability")]
    needs = [f"`{name}` needs {kind.needs}" for name, kind in own_kinds().items() if kind.needs]
    text = " ".join([*said, f"{'; '.join(needs)}."])
    return fill(text, 118, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def _simple_types(definitions: Node) -> str:
    rows = [f"| `{name}` | {_type(definitions[name])} | {_meaning(definitions[name])} |" for name in SIMPLE]
    return "\n".join(["## Simple types", "", "| type | is | meaning |", "|---|---|---|", *rows, ""])


def _section(title: str, node: Node) -> str:
    rows = [_row(name, below, node) for name, below in node["properties"].items() if name != "$comment"]
    table = ["| field | type | default | meaning |", "|---|---|---|---|", *rows]
    return "\n".join([f"## {title}", "", *table, "", *_conditions(node)])


def _row(name: str, node: Node, parent: Node) -> str:
    return f"| `{name}` | {_type(node)} | {_default(name, node, parent)} | {_meaning(node)} |"


def _meaning(node: Node) -> str:
    target = _resolved(node)
    return str(target.get("description", "")).replace("|", r"\|")


def _default(name: str, node: Node, parent: Node) -> str:
    target = _resolved(node)
    if "default" in target:
        return "all defaults" if target["default"] == {} and "$ref" in node else f"`{json.dumps(target['default'])}`"
    if name in ONE_OF_TWO and any(rule in SOURCES for rule in parent.get("allOf", ())):
        return ONE_OF_TWO[name]
    if name not in parent.get("required", ()):
        return "*optional*"
    return "*pinned*" if "x-pin" in target else "–"


def _type(node: Node) -> str:
    if "$ref" in node:
        name = node["$ref"].removeprefix("#/$defs/")
        return f"[{name}](#{'simple-types' if name in SIMPLE else name})"
    if "anyOf" in node:
        return " or ".join(map(_type, node["anyOf"]))
    if "if" in node:
        return f"{_type(node['else'])}, or {_meaning(node['then']).rstrip('.')}"
    if "const" in node or "enum" in node:
        return ", ".join(f"`{json.dumps(value)}`" for value in node.get("enum", [node.get("const")]))
    kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return " or ".join(map(_WORDS.get, kinds, kinds)) + _inner(node) + "".join(_limits(node))


_WORDS = {"integer": "whole number", "boolean": "true or false", "array": "list", "string": "text"}


def _inner(node: Node) -> str:
    if "items" in node:
        kind, _, limits = _type(node["items"]).partition(", ")
        return f" of {kind} ({limits})" if limits else f" of {kind}"
    if isinstance(node.get("additionalProperties"), dict):
        return f": name → {_type(node['additionalProperties'])}"
    return ""


def _limits(node: Node) -> Iterator[str]:
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
        "maxLength": "characters: at most",
    }
    for keyword, word in words.items():
        if keyword in node:
            yield f", {word} {node[keyword]}"
    if node.get("minItems") or node.get("minLength") or node.get("minProperties"):
        yield ", not empty"
    if node.get("uniqueItems"):
        yield ", no two alike"


def _conditions(node: Node) -> list[str]:
    """Return what `oneOf` and if/then say of an object, in words."""
    said = [f"Rule: {node['x-hint']}."] if "x-hint" in node else []
    for rule in (rule for rule in node.get("allOf", ()) if rule not in SOURCES):
        ((field, condition),) = rule["if"]["properties"].items()
        for word, outcome in (("is", rule["then"]), ("is not", rule.get("else"))):
            if outcome:
                effects = "; ".join(_effects(outcome))
                value = f"`{json.dumps(condition['const'])}`" if "const" in condition else "one of the kit's own"
                said.append(f"- Where `{field}` {word} {value}: {effects}.")
    return [*said, ""] if said else []


def _effects(outcome: Node) -> Iterator[str]:
    if "required" in outcome:
        yield f"{_listed(outcome['required'])} must be there"
    properties: Node = outcome.get("properties", {})
    if barred := [name for name, node in properties.items() if "not" in node]:
        yield f"{_listed(barred)} must not be there"
    for name, node in properties.items():
        if "not" not in node:
            yield f"`{name}` is {_type(node).replace(', ', ' or ')}"


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _resolved(node: Node) -> Node:
    if "$ref" not in node:
        return node
    return {**schema()["$defs"][node["$ref"].removeprefix("#/$defs/")], **node}


if __name__ == "__main__":
    sys.stdout.write(reference())
