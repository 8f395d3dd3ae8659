"""The mapping format: a data set says itself which of its columns mean what."""

from __future__ import annotations

from kit.spec.manifest.base import Part


class Columns(Part, frozen=True, kw_only=True):
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


MEANINGS = tuple(name for name in Columns.__struct_fields__ if name not in ("container", "header"))
"""What a column can mean."""
