"""The published schema: finding every problem at once, and filling in its defaults.

The schema is the single source of what a field may be and what it defaults to. Three keywords of our own are
annotations to other validators: `x-pin` marks what `kit pin` finds out, `x-draft` what it makes the right form of,
`x-hint` says what to do where `oneOf`, `not` or a condition fails.
"""

from __future__ import annotations

import difflib
import json
import re
from functools import cache
from importlib import resources
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from kit.core.errors import MAX_PROBLEMS, Problem, child_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jsonschema.exceptions import ValidationError

    from kit.core.canonical import Json

FILE = "manifest-1.schema.json"
VERSIONS = (1,)
"""Schema versions that this kit reads."""

Schema = dict[str, Any]


@cache
def schema() -> Schema:
    """Return the manifest's schema, as it is published in `schemas/`."""
    text = resources.files("kit").joinpath("schemas", FILE).read_text(encoding="utf-8")
    return cast("Schema", json.loads(text))


def problems(document: Json, where: str, *, draft: bool = False) -> list[Problem]:
    """Return everything that the schema holds against a document, in the order of its paths.

    A draft may lack what `kit pin` fills in: fields with a default, digests, the environment.
    """
    if version_problems := _version_problems(document, where):
        return version_problems
    relevant = (error for error in _errors(document, schema()) if not (draft and _is_pinnable(error)))
    return _sorted(one for error in relevant for one in _problems(error, where, "$"))


def part_problems(part: object, node: Schema, where: str, path: str) -> list[Problem]:
    """Return what a schema of its own holds against the part of a document that stands at `path`."""
    return _sorted(one for error in _errors(part, node) for one in _problems(error, where, path))


def _errors(value: object, node: Schema) -> Iterator[ValidationError]:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    validator = extend(Draft202012Validator, {"uniqueItems": _unique_items})  # type: ignore[no-untyped-call]
    return _flat(validator(node).iter_errors(value))


def _sorted(found: Iterable[Problem]) -> list[Problem]:
    # What if/then requires is said again by the schema around it.
    once = dict.fromkeys(islice(found, MAX_PROBLEMS + 1))
    return sorted(once, key=lambda problem: (problem.path, problem.what))


def with_defaults(document: Json) -> tuple[Json, dict[str, Json]]:
    """Return the document with the schema's defaults filled in, and what was filled in, by JSON path."""
    filled: dict[str, Json] = {}
    return _fill(document, schema(), "$", filled), filled


def _unique_items(_validator: object, wanted: bool, items: object, _schema: object) -> Iterator[ValidationError]:  # noqa: FBT001 - the library calls it
    """Do what the library does, whose own way takes the square of the items' number where their types are mixed."""
    from jsonschema.exceptions import ValidationError

    if wanted and isinstance(items, list):
        forms = [json.dumps(item, sort_keys=True) for item in items]
        if len(set(forms)) < len(forms):
            yield ValidationError("has non-unique elements")


def _version_problems(document: Json, where: str) -> list[Problem]:
    """Say first that the version is unknown: every other complaint would be noise."""
    if not isinstance(document, dict):
        return [Problem(where, "is not a JSON object", "a manifest is an object; `kit init` writes one", "$")]
    version = document.get("schema_version")
    known = " or ".join(map(str, VERSIONS))
    if "schema_version" not in document:
        return [Problem(where, "is missing", f"add it: this kit reads {known}", "$.schema_version")]
    if type(version) is not int:
        return [Problem(where, f"{_show(version)} is not a version", f"write the number {known}", "$.schema_version")]
    if version not in VERSIONS:
        what = f"version {version} is not supported"
        return [Problem(where, what, f"this kit reads {known}; install one that reads {version}", "$.schema_version")]
    return []


def _flat(errors: Iterable[ValidationError]) -> Iterator[ValidationError]:
    """Replace an error of `anyOf` by those of the branch that was meant: the one that fits the type best."""
    for error in errors:
        branches: dict[int, list[ValidationError]] = {}
        for inner in error.context or ():
            branches.setdefault(cast("int", inner.schema_path[0]), []).append(inner)
        meant = [branch for branch in branches.values() if not any(_is_other_type(inner) for inner in branch)]
        if error.validator == "anyOf" and len(meant) == 1:
            yield from _flat(meant[0])
        else:
            yield error


def _is_other_type(error: ValidationError) -> bool:
    """Tell whether a branch of `anyOf` fails because it is for values of another type."""
    if error.path:
        return False
    return error.validator == "type" or (
        error.validator == "const" and type(error.instance) is not type(error.validator_value)
    )


def _is_pinnable(error: ValidationError) -> bool:
    """Tell whether `kit pin` would mend this."""
    here = cast("Schema", error.schema)
    if error.validator == "required":
        name = _missing(error)
        target = _resolve(here.get("properties", {}).get(name, {}))
        return "default" in target or "x-pin" in target
    if error.validator == "pattern" and "x-draft" in here:
        return re.fullmatch(here["x-draft"], cast("str", error.instance)) is not None
    return error.instance is None and "x-pin" in here


def _missing(error: ValidationError) -> str:
    """Return the name of the missing field; the library only tells it inside its message."""
    names = cast("list[str]", error.validator_value)
    return next(name for name in names if name not in _members(error) and f"{name!r} is" in error.message)


def _members(error: ValidationError) -> dict[str, Json]:
    return cast("dict[str, Json]", error.instance)


_WHAT = {
    "anyOf": "{value} has the wrong type",
    "exclusiveMaximum": "{value} is not less than {limit}",
    "exclusiveMinimum": "{value} is not more than {limit}",
    "maximum": "{value} is more than {limit}",
    "maxLength": "{value} is longer than {limit} characters",
    "maxProperties": "names more than {limit}",
    "minimum": "{value} is less than {limit}",
    "minItems": "is empty",
    "minLength": "is empty",
    "minProperties": "is empty",
    "not": "{value} is not allowed here",
    "oneOf": "is contradictory",
    "pattern": "{value} has the wrong form",
    "uniqueItems": "{value} names something twice",
}
"""By keyword of JSON Schema: what is wrong with a value that fails it."""


def _problems(error: ValidationError, where: str, path: str) -> list[Problem]:
    """Say what one validation error of what stands at `path` means to whoever wrote the document."""
    for key in error.absolute_path:
        path = child_path(path, key)
    here = cast("Schema", error.schema)
    value, validator = error.instance, str(error.validator)
    meaning = str(here.get("description", "")).rstrip(".")
    remedy = f"expected: {meaning}" if meaning else ""
    if validator == "required":
        name = _missing(error)
        return [Problem(where, "is missing", _describe(here, name), child_path(path, name))]
    if validator == "additionalProperties":
        known = here["properties"]
        unknown = [name for name in _members(error) if name not in known]
        what = "is not a known field"
        return [
            Problem(where, what, _did_you_mean(name, known), child_path(path, name)) for name in unknown[:MAX_PROBLEMS]
        ]
    if validator in ("enum", "const"):
        allowed = cast("list[object]", [here["const"]] if validator == "const" else here["enum"])
        return [Problem(where, f"{_show(value)} is not allowed", _did_you_mean(value, allowed), path)]
    if validator == "type":
        kinds = here["type"] if isinstance(here["type"], list) else [here["type"]]
        return [Problem(where, f"{_show(value)} is not of type {' or '.join(kinds)}", remedy, path)]
    what = _WHAT.get(validator, "is not valid").format(value=_show(value), limit=error.validator_value)
    return [Problem(where, what, str(here.get("x-hint", remedy)), path)]


def _describe(parent: Schema, name: str) -> str:
    target = _resolve(parent.get("properties", {}).get(name, {}))
    meaning = str(target.get("description", "")).rstrip(".")
    return f"add it: {meaning}" if meaning else str(parent.get("x-hint", "add it"))


def _did_you_mean(value: object, allowed: Iterable[object]) -> str:
    options = [option if isinstance(option, str) else json.dumps(option) for option in allowed]
    close = difflib.get_close_matches(str(value), options, n=1)
    return f"did you mean {close[0]!r}?" if close else f"it may be one of: {', '.join(options)}"


def _show(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else text[:57] + "..."


def _resolve(node: Schema) -> Schema:
    """Return a schema with its `$ref` looked up; keywords beside the reference win."""
    if "$ref" not in node:
        return node
    name = node["$ref"].removeprefix("#/$defs/")
    return {**schema()["$defs"][name], **node}


def _fill(value: Json, node: Schema, path: str, filled: dict[str, Json]) -> Json:
    """Fill in defaults below one value."""
    node = _resolve(node)
    if "anyOf" in node and isinstance(value, dict):
        node = _resolve(node["anyOf"][-1])
    if isinstance(value, list) and "items" in node:
        return [_fill(item, node["items"], child_path(path, index), filled) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    result: dict[str, Json] = {}
    properties: Schema = node.get("properties", {})
    for name, item in value.items():
        below = properties.get(name, node.get("additionalProperties"))
        result[name] = _fill(item, below, child_path(path, name), filled) if isinstance(below, dict) else item
    for name, below in properties.items():
        resolved = _resolve(below)
        if name not in value and "default" in resolved:
            below_path = child_path(path, name)
            result[name] = _fill(resolved["default"], below, below_path, filled)
            if not isinstance(resolved["default"], dict):
                filled[below_path] = result[name]
    return result
