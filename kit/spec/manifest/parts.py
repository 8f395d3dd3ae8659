"""The parts of a manifest that occur in more than one place, as typed objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kit.spec.hub.interface import DATASET, MODEL, Repo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json

Document = dict[str, Any]
"""A JSON object whose shape the schema has guaranteed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Files of a folder that is named relative to the manifest, of a repository on the Hub, or of the kit itself."""

    path: str | None = None
    """The folder; None where there is a repository."""
    repo: Repo | None = None
    revision: str = ""
    """With a repository: its commit, in a draft perhaps a branch."""
    shipped: str | None = None
    """In place of both: the name of a chat template that the kit brings."""
    gated: bool | None = None
    """With a repository: whether its owner wants terms to be accepted; None where nobody asked."""
    files: Mapping[str, str]
    """Name → `xxh3_128:` digest, for every file that is used."""

    @classmethod
    def from_json(cls, document: Document, kind: str = MODEL) -> Source:
        """Read a source; `kind` is the Hub's kind of repository that files in its place of the manifest come from."""
        files = document.get("files") or {}
        if "shipped" in document:
            return cls(shipped=document["shipped"], files=files)
        if "repo" not in document:
            return cls(path=document["path"], files=files)
        repo, revision = Repo(kind, document["repo"]), document.get("revision") or ""
        return cls(repo=repo, revision=revision, gated=document.get("gated"), files=files)

    def to_json(self) -> dict[str, Json]:
        if self.shipped is not None:
            return {"shipped": self.shipped, "files": dict(self.files)}
        if self.repo is None:
            return {"path": self.path, "files": dict(self.files)}
        gated = if_said(gated=self.gated)
        return {"repo": self.repo.name, "revision": self.revision, **gated, "files": dict(self.files)}

    @property
    def name(self) -> str:
        """How a reader is told where the files come from: a folder, or `OWNER/NAME@REVISION`."""
        return f"{self.origin}@{self.revision}" if self.repo else self.origin

    @property
    def origin(self) -> str:
        """The folder, or the repository without its revision."""
        if self.shipped is not None:
            return "the kit's own templates"
        return self.repo.name if self.repo else self.path or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model, and the number format that the engine computes it in."""

    source: Source
    dtype: str
    """`float32`, `bfloat16` or `float16`: in which the engine computes. `recorded`: nothing is computed."""
    template: Source | None = None
    """One file: the chat template in place of the tokenizer's own."""
    template_date: str | None = None
    """The day that the chat template takes for today, `YYYY-MM-DD`."""
    chat_template_kwargs: Mapping[str, Json] | None = None
    """Arguments of the chat template."""

    @classmethod
    def from_json(cls, document: Document) -> Model:
        template = document.get("template")
        return cls(
            # Recorded answers are a data set's file.
            source=Source.from_json(document, DATASET if document["dtype"] == "recorded" else MODEL),
            dtype=document["dtype"],
            template=Source.from_json(template) if template else None,
            template_date=document.get("template_date"),
            chat_template_kwargs=document.get("chat_template_kwargs"),
        )

    def to_json(self) -> dict[str, Json]:
        template = self.template.to_json() if self.template else None
        return {**self.source.to_json(), "dtype": self.dtype, **if_said(template=template), **self._filled_in_with()}

    @property
    def is_recorded(self) -> bool:
        """Whether its files hold answers that were given before, in place of weights."""
        return self.dtype == "recorded"

    def identity(self) -> dict[str, Json]:
        """Return what decides what it reads and writes, wherever its files lie: their digests, and the template's."""
        return {"model": dict(self.source.files), **self.asks_as()}

    def asks_as(self) -> dict[str, Json]:
        """Return what decides how a conversation becomes one text, beside the model's own files."""
        template: list[Json] | None = [*self.template.files.values()] if self.template else None
        return {**if_said(template=template), **self._filled_in_with()}

    def _filled_in_with(self) -> dict[str, Json]:
        arguments = dict(self.chat_template_kwargs) if self.chat_template_kwargs else None
        return if_said(template_date=self.template_date, chat_template_kwargs=arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLimits:
    """Engine limits that can move results, as vLLM's `LLM` names them."""

    max_model_len: int
    max_num_seqs: int
    max_num_batched_tokens: int
    kv_cache_mib: int
    enforce_eager: bool
    enable_prefix_caching: bool
    tensor_parallel_size: int | None = None
    """Accelerators that share each layer; None is one, here and below."""
    pipeline_parallel_size: int | None = None

    @classmethod
    def from_json(cls, document: Document) -> EngineLimits:
        return cls(**document)

    def to_json(self) -> dict[str, Json]:
        later = ("tensor_parallel_size", "pipeline_parallel_size")
        old: dict[str, Json] = {name: getattr(self, name) for name in self.__slots__ if name not in later}
        return {**old, **if_said(**{name: getattr(self, name) for name in later})}

    @property
    def devices(self) -> int:
        """How many accelerators one engine takes."""
        return (self.tensor_parallel_size or 1) * (self.pipeline_parallel_size or 1)


def if_said(**later: Json) -> dict[str, Json]:
    """Return what of these is not null: fields that came later, so that a manifest without them keeps its digest."""
    return {name: value for name, value in later.items() if value is not None}
