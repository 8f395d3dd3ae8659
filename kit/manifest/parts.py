"""The parts of a manifest that occur in more than one place, as typed objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.canonical import Json

Document = dict[str, Any]
"""A JSON object whose shape the schema has guaranteed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Files below a folder that is named relative to the manifest."""

    path: str
    files: Mapping[str, str]
    """Name → `xxh3_128:` digest, for every file that is used."""

    @classmethod
    def from_json(cls, document: Document) -> Source:
        return cls(path=document["path"], files=document["files"])

    def to_json(self) -> dict[str, Json]:
        return {"path": self.path, "files": dict(self.files)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model, and the number format that the engine computes it in."""

    source: Source
    dtype: str
    """`float32`, `bfloat16` or `float16`: in which the engine computes."""
    template: Source | None = None
    """One file: the chat template in place of the tokenizer's own."""

    @classmethod
    def from_json(cls, document: Document) -> Model:
        template = document.get("template")
        return cls(
            source=Source.from_json(document),
            dtype=document["dtype"],
            template=Source.from_json(template) if template else None,
        )

    def to_json(self) -> dict[str, Json]:
        template = self.template.to_json() if self.template else None
        return {**self.source.to_json(), "dtype": self.dtype, **if_said(template=template)}

    def identity(self) -> dict[str, Json]:
        """Return what decides what it reads and writes, wherever its files lie: their digests, and the template's."""
        template: list[Json] | None = [*self.template.files.values()] if self.template else None
        return {"model": dict(self.source.files), **if_said(template=template)}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLimits:
    """Engine limits that can move results, as vLLM's `LLM` names them."""

    max_model_len: int
    max_num_seqs: int
    max_num_batched_tokens: int
    kv_cache_mib: int
    enforce_eager: bool
    enable_prefix_caching: bool

    @classmethod
    def from_json(cls, document: Document) -> EngineLimits:
        return cls(**document)

    def to_json(self) -> dict[str, Json]:
        return {name: getattr(self, name) for name in self.__slots__}


def if_said(**later: Json) -> dict[str, Json]:
    """Return what of these is not null: fields that came later, so that a manifest without them keeps its digest."""
    return {name: value for name, value in later.items() if value is not None}
