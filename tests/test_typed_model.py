"""The schema, which editors read, and the structs, which the kit computes with, say the same of every field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import pytest
from msgspec import inspect

from kit.spec.manifest import credit, finetune, model, parts
from kit.spec.manifest.columns import Columns
from kit.spec.manifest.schema import schema

if TYPE_CHECKING:
    from kit.spec.manifest.base import Part

Node: TypeAlias = dict[str, Any]

STRUCTS: dict[str, type[Part]] = {
    "": model.Manifest,
    "model": parts.Model,
    "template": parts.Source,
    "data_set": model.DataSet,
    "columns": Columns,
    "row_selection": model.RowSelection,
    "finetune": finetune.Finetune,
    "adapter": parts.Source,
    "training": finetune.Training,
    "quantization": finetune.Quantization,
    "lora": finetune.Lora,
    "evaluation": model.Evaluation,
    "generation": model.Generation,
    "judge": model.JudgeChoice,
    "question": parts.Source,
    "engine": parts.EngineLimits,
    "seeds": model.Seeds,
    "variation": model.Variation,
    "expect": model.Expect,
    "credit": credit.Credit,
    "author": credit.Author,
    "organization": credit.Organization,
}
"""Definition of the schema, or the whole, → what it is in the kit."""
UNTYPED = {"environment", "platform", "accelerator"}
"""Recorded and compared as they are."""
KINDS = {
    inspect.NoneType: "null", inspect.BoolType: "boolean", inspect.IntType: "integer", inspect.FloatType: "number",
    inspect.StrType: "string",
}  # fmt: skip


def definition(name: str) -> Node:
    node: Node = schema()["$defs"][name] if name else schema()
    return node


def of_schema(node: Node) -> set[str]:
    """Return what the schema allows: kinds of values, with what is in a list or an object, and names of structs."""
    if "$ref" in node:
        name = node["$ref"].removeprefix("#/$defs/")
        if name in STRUCTS:
            return {STRUCTS[name].__name__}
        return {"object of anything"} if name in UNTYPED else of_schema(definition(name))
    if "anyOf" in node:
        return set().union(*map(of_schema, node["anyOf"]))
    if "const" in node or "enum" in node:
        return {_kind(value) for value in node.get("enum", [node.get("const")])}
    kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
    made = {"array": _inner(node, "items"), "object": _inner(node, "additionalProperties")}
    return {made.get(kind, str(kind)) for kind in kinds}


def _inner(node: Node, keyword: str) -> str:
    kind = "array" if keyword == "items" else "object"
    inner = node.get(keyword)
    # A number, or truth, or text in an object of values of several kinds: anything that JSON has.
    found = of_schema(inner) if isinstance(inner, dict) and not isinstance(inner.get("type"), list) else {"anything"}
    return f"{kind} of {' or '.join(sorted(found))}"


def _kind(value: object) -> str:
    return {str: "string", int: "integer", bool: "boolean", type(None): "null"}[type(value)]


def of_struct(kind: inspect.Type) -> set[str]:
    """Return what a field of a struct can be, in the same words."""
    if isinstance(kind, inspect.UnionType):
        found = set().union(*map(of_struct, kind.types))
        return found - {"integer"} if {"integer", "number"} <= found else found
    if isinstance(kind, inspect.StructType):
        return {kind.cls.__name__}
    if isinstance(kind, inspect.VarTupleType):
        return {f"array of {' or '.join(sorted(of_struct(kind.item_type)))}"}
    if isinstance(kind, inspect.DictType):
        return {f"object of {' or '.join(sorted(of_struct(kind.value_type)))}"}
    return {"anything"} if isinstance(kind, inspect.AnyType) else {KINDS[type(kind)]}


def test_every_definition_is_a_struct() -> None:
    objects = {name for name, node in schema()["$defs"].items() if "properties" in node}
    assert objects == STRUCTS.keys() - {""} | UNTYPED


@pytest.mark.parametrize("name", STRUCTS, ids=lambda name: name or "the whole")
def test_a_struct_has_the_fields_types_and_defaults_of_the_schema(name: str) -> None:
    node = definition(name)
    known = inspect.type_info(STRUCTS[name])
    assert isinstance(known, inspect.StructType)
    fields = {one.name: one for one in known.fields if one.name != "shipped" or name == "template"}
    assert fields.keys() == node["properties"].keys() - {"$comment", "$schema"}
    assert {one.name for one in fields.values() if one.required} == {*node["required"]}
    for one in fields.values():
        said = node["properties"][one.name]
        # What may be left out is None in a struct, whether the schema lets people write null for it or not.
        left_out = set() if one.required else {"null"}
        assert of_struct(one.type) - left_out == of_schema(said) - left_out, one.name
        if not one.required and "default" in said:
            assert said["default"] == one.default, one.name


def test_what_the_schema_does_not_know_no_struct_takes() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `learning_rat`"):
        finetune.Lora.from_json({"learning_rat": 1})


def test_a_number_keeps_the_one_form_that_it_has_in_a_document() -> None:
    """A report that said 1.0 where the manifest says 1 would be another report."""
    document: Any = {"temperature": 0, "top_p": 0.5, "top_k": 0, "repetition_penalty": 1, "max_tokens": 8}
    said = model.Generation.from_json(document).to_json()
    assert (said, [*map(type, said.values())]) == (document, [*map(type, document.values())])
    assert model.Generation.from_json({**document, "stop": None, "$comment": "Mine."}).to_json() == document
