"""What the kit asks of the Hub, and what it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MODEL, DATASET = "model", "dataset"
"""The Hub's kinds of repositories that the kit reads."""


@dataclass(frozen=True, slots=True)
class Repo:
    """A repository on the Hub."""

    kind: str
    """`model` or `dataset`."""
    name: str
    """`OWNER/NAME`."""

    @property
    def page(self) -> str:
        """Where a browser finds it, below the Hub's address."""
        return f"datasets/{self.name}" if self.kind == DATASET else self.name

    def folder(self, cache: Path, commit: str) -> Path:
        """Return where the Hub's client keeps the files of one commit (its documented cache layout)."""
        return cache / f"{self.kind}s--{self.name.replace('/', '--')}" / "snapshots" / commit


@dataclass(frozen=True, slots=True)
class RepoFile:
    """A file of a repository, as the Hub lists it."""

    size: int
    """In bytes; 0 where a mirror does not tell."""
    git_sha1: str | None
    """Identity of a git blob: of the content, or of a pointer to it where there is a SHA-256."""
    sha256: str | None
    """Of the content, where it is large (git LFS)."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository at one commit."""

    commit: str
    """40 hexadecimal digits."""
    gated: bool
    """Whether its owner wants terms to be accepted."""
    files: Mapping[str, RepoFile]


@dataclass(frozen=True, slots=True)
class Settings:
    """How the Hub is reached."""

    endpoint: str
    """Address of the Hub or of a mirror, without a slash at its end."""
    token: str | None
    cache: Path
    """Where its client keeps what it has downloaded."""
    offline: bool
    """Whether nothing may be asked over the network."""


class HubError(Exception):
    """The Hub did not give what was asked for: what is the matter, and what to do about it."""

    def __init__(self, what: str, remedy: str, *, of_revision: bool = False) -> None:
        """Keep the sentence and the remedy; `of_revision` says that the repository itself is there."""
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.of_revision = of_revision


class Hub(Protocol):
    """`kit.spec.hub.client.HubClient` is the real one; the tests put a server of their own behind it."""

    @property
    def settings(self) -> Settings:
        """How the Hub is reached."""

    def listing(self, repo: Repo, revision: str) -> Listing:
        """Return a repository at a branch, tag or commit; raises `HubError`."""

    def require_access(self, repo: Repo, commit: str, name: str) -> None:
        """Raise `HubError` unless this file may be downloaded."""

    def download(self, repo: Repo, commit: str, name: str, *, again: bool) -> None:
        """Put a file into the cache, `again` even if it is there; raises `HubError`."""
