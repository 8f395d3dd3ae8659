"""Who made a study, and how what comes of it may be used: for archives, and without a bearing on any result."""

from __future__ import annotations

from kit.spec.manifest.base import Part


class Organization(Part, frozen=True, kw_only=True):
    """Where somebody works, or who publishes."""

    name: str
    url: str


class Author(Part, frozen=True, kw_only=True):
    """A person who is answerable for the study."""

    name: str
    orcid: str | None
    """As an address, `https://orcid.org/…`."""
    affiliation: Organization | None


class Credit(Part, frozen=True, kw_only=True):
    """What archives are told beside the results."""

    authors: tuple[Author, ...]
    license: str | None
    """SPDX identifier."""
    publisher: Organization | None
