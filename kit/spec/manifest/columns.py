"""The mapping format: a data set says itself which of its columns mean what."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from kit.spec.manifest.parts import if_said

if TYPE_CHECKING:
    from kit.core.canonical import Json
    from kit.spec.manifest.parts import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What a file is, and the name, or without a header the number, of the column that means each thing."""

    container: str
    """`jsonl`, `json`, `csv`, `tsv`, `parquet` or `lines`."""
    header: bool
    """Whether a CSV or TSV file has one."""
    prompt: str | int
    id: str | int | None = None
    """None takes the number of the row."""
    category: str | int | None = None
    """None puts all into one."""
    answer: str | int | None = None
    """The exact answer, or what somebody said of a recorded one."""
    completion: str | int | None = None
    """What is trained on, or was recorded."""
    system: str | int | None = None
    """With `completion`: a system message for the row."""

    @classmethod
    def from_json(cls, document: Document) -> Columns:
        return cls(**document)

    def to_json(self) -> dict[str, Json]:
        later = {name: getattr(self, name) for name in MEANINGS if name != "prompt"}
        return {"container": self.container, "header": self.header, "prompt": self.prompt, **if_said(**later)}


MEANINGS = tuple(field.name for field in fields(Columns) if field.name not in ("container", "header"))
"""What a column can mean."""
