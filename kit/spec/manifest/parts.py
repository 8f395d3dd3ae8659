"""The parts of a manifest that occur in more than one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from kit.spec.hub.interface import DATASET, MODEL, Repo
from kit.spec.manifest.base import AnyJson, Part

if TYPE_CHECKING:
    from typing import Self

    from kit.core.canonical import Json

Document = dict[str, Any]
"""A JSON object whose shape the schema has guaranteed."""


class Source(Part, frozen=True, kw_only=True):
    """Files of a folder that is named relative to the manifest, of a repository on the Hub, or of the kit itself."""

    kind: ClassVar[str] = MODEL
    """The Hub's kind of repository that the files come from."""

    path: str | None = None
    """The folder; None where there is a repository."""
    repo: str | None = None
    """In place of it: a repository's name, `OWNER/NAME`."""
    revision: str = ""
    """With a repository: its commit, in a draft perhaps a branch."""
    shipped: str | None = None
    """In place of both: the name of a chat template that the kit brings."""
    gated: bool | None = None
    """With a repository: whether its owner wants terms to be accepted; None where nobody asked."""
    files: Mapping[str, str]
    """Name → `xxh3_128:` digest, for every file that is used."""

    @classmethod
    def named_in(cls, part: Mapping[str, Json]) -> Self:
        """Return the source that stands in a part of a document, a draft's too, which may lack commit and digests."""
        said = {name: part[name] for name in Source.__struct_fields__ if part.get(name) is not None}
        return cls(**cast("Document", {"files": {}, **said}))

    @property
    def repository(self) -> Repo | None:
        """The repository on the Hub, if the files come from one."""
        return Repo(self.kind, self.repo) if self.repo is not None else None

    @property
    def name(self) -> str:
        """How a reader is told where the files come from: a folder, or `OWNER/NAME@REVISION`."""
        return f"{self.origin}@{self.revision}" if self.repo else self.origin

    @property
    def origin(self) -> str:
        """The folder, or the repository without its revision."""
        return "the kit's own templates" if self.shipped is not None else self.repo or self.path or ""


class DataSource(Source, frozen=True, kw_only=True):
    """A source whose files come from the Hub's data sets, where they come from the Hub."""

    kind: ClassVar[str] = DATASET


class Model(Source, frozen=True, kw_only=True):
    """A model, and the number format that the engine computes it in; or the answers that one has given before."""

    answers: str | None = None
    """`recorded`: its files hold answers in place of weights, and nothing is computed."""
    dtype: str = ""
    """`float32`, `bfloat16` or `float16`: in which the engine computes. Empty where nothing is computed."""
    template: Source | None = None
    """One file: the chat template in place of the tokenizer's own."""
    template_date: str | None = None
    """The day that the chat template takes for today, `YYYY-MM-DD`."""
    chat_template_kwargs: Mapping[str, AnyJson] | None = None
    """Arguments of the chat template."""

    @property
    def source(self) -> Source:
        """Where its files come from; recorded answers are a data set's."""
        return source_of(self, DataSource if self.is_recorded else Source)

    @property
    def is_recorded(self) -> bool:
        """Whether its files hold answers that were given before, in place of weights."""
        return self.answers == "recorded"

    def identity(self) -> dict[str, Json]:
        """Return what decides what it reads and writes, wherever its files lie: their digests, and the template's."""
        return {"model": dict(self.files), **self.asks_as()}

    def asks_as(self) -> dict[str, Json]:
        """Return what decides how a conversation becomes one text, beside the model's own files."""
        template: list[Json] | None = [*self.template.files.values()] if self.template else None
        arguments = dict(self.chat_template_kwargs) if self.chat_template_kwargs else None
        said: dict[str, Json] = {"template": template, "template_date": self.template_date}
        return if_said(**said, chat_template_kwargs=arguments)


class EngineLimits(Part, frozen=True, kw_only=True):
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

    @property
    def devices(self) -> int:
        """How many accelerators one engine takes."""
        return (self.tensor_parallel_size or 1) * (self.pipeline_parallel_size or 1)


def source_of(part: Source, kind: type[Source]) -> Source:
    """Return where the files of a part come from, without what else it says."""
    return kind(**{name: getattr(part, name) for name in Source.__struct_fields__})


def if_said(**later: Json) -> dict[str, Json]:
    """Return what of these is not null: what came later, so that the identity of what is without it stays."""
    return {name: value for name, value in later.items() if value is not None}
