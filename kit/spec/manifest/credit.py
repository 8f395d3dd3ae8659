"""Who made a study, and how what comes of it may be used: for archives, and without a bearing on any result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.core.canonical import Json
    from kit.spec.manifest.parts import Document


@dataclass(frozen=True, slots=True)
class Organization:
    """Where somebody works, or who publishes."""

    name: str
    url: str

    @classmethod
    def from_json(cls, document: Document) -> Organization:
        return cls(document["name"], document["url"])

    def to_json(self) -> dict[str, Json]:
        return {"name": self.name, "url": self.url}


@dataclass(frozen=True, slots=True)
class Author:
    """A person who is answerable for the study."""

    name: str
    orcid: str | None
    """As an address, `https://orcid.org/…`."""
    affiliation: Organization | None

    @classmethod
    def from_json(cls, document: Document) -> Author:
        where = document["affiliation"]
        return cls(document["name"], document["orcid"], Organization.from_json(where) if where else None)

    def to_json(self) -> dict[str, Json]:
        where = self.affiliation.to_json() if self.affiliation else None
        return {"name": self.name, "orcid": self.orcid, "affiliation": where}


@dataclass(frozen=True, slots=True)
class Credit:
    """What archives are told beside the results."""

    authors: tuple[Author, ...]
    license: str | None
    """SPDX identifier."""
    publisher: Organization | None

    @classmethod
    def from_json(cls, document: Document) -> Credit:
        publisher = document["publisher"]
        return cls(
            authors=tuple(map(Author.from_json, document["authors"])),
            license=document["license"],
            publisher=Organization.from_json(publisher) if publisher else None,
        )

    def to_json(self) -> dict[str, Json]:
        return {
            "authors": [author.to_json() for author in self.authors],
            "license": self.license,
            "publisher": self.publisher.to_json() if self.publisher else None,
        }
