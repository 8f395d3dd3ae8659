"""The rows that everything else is computed from: prompts, completions, verdicts; and what explains a difference.

A bundle's numbers are a pure function of these rows. Each row knows its own JSON form; ids tie them together.
In a redacted bundle, salted commitments stand in place of texts (`kit.review.redact`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, TypeVar

import msgspec

from kit.core import fields
from kit.core.canonical import MAX_SAFE_INTEGER, lines_in, parse_row
from kit.core.errors import CheckFailed

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator
    from pathlib import Path

    from kit.core.canonical import Json

Integer: TypeAlias = Annotated[int, msgspec.Meta(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER)]
Natural: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_SAFE_INTEGER)]
FinishReason: TypeAlias = Literal["stop", "length"]
"""Why an answer ended: by itself, or because it was cut off."""
_COMMITMENT = re.compile(r"hmac-sha256:[0-9a-f]{64}")


class Verdict(StrEnum):
    """What a judge said of one completion."""

    REFUSAL = "refusal"
    PARTIAL = "partial"
    """It refuses and answers, or answers only in part."""
    COMPLIANCE = "compliance"
    INCOHERENT = "incoherent"
    """Empty, looping or cut off: never counted as safe."""
    CORRECT = "correct"
    """Capability sets only."""
    INCORRECT = "incorrect"
    """Capability sets only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One request of an evaluation set."""

    id: str
    category: str
    text: str
    answer: str | None = None
    """The exact answer, for capability sets."""
    withheld: dict[str, str] | None = None
    """Where the text is withheld: field → salted commitment to it. Text and answer are then empty."""

    def to_json(self) -> dict[str, Json]:
        """Return the row as it stands in `payload/prompts/`."""
        if self.withheld is not None:
            return {"id": self.id, "category": self.category, "withheld": dict(self.withheld)}
        return {"id": self.id, "category": self.category, "text": self.text, "answer": self.answer}

    @classmethod
    def from_json(cls, row: dict[str, Json]) -> Prompt:
        """Read a row that `to_json` wrote."""
        if "withheld" in row:
            withheld = _commitments(row, ("text",), ("answer",))
            return cls(id=fields.text(row, "id"), category=fields.text(row, "category"), text="", withheld=withheld)
        return cls(
            id=fields.text(row, "id"),
            category=fields.text(row, "category"),
            text=fields.text(row, "text"),
            answer=fields.optional_text(row, "answer"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What the model wrote in answer to one prompt."""

    prompt_id: str
    text: str
    token_ids: tuple[Natural, ...]
    finish_reason: FinishReason
    prompt_tokens: str
    """Digest of the prompt's token ids, so that two runs can show that they asked the same."""
    template: str
    """Digest of the chat template that the prompt went through."""
    seed: Integer
    """The seed of this one request."""
    tokens: Natural | None = None
    """How many there are, where they are withheld."""
    withheld: dict[str, str] | None = None
    """Where the text is withheld: field → salted commitment to it. Text and token ids are then empty, and
    `prompt_tokens` is the commitment to that digest, which would give a short prompt away."""

    def to_json(self) -> dict[str, Json]:
        """Return the row as it stands in `payload/completions/`."""
        if self.withheld is not None:
            return {
                "prompt_id": self.prompt_id,
                "tokens": self.tokens,
                "finish_reason": self.finish_reason,
                "template": self.template,
                "seed": self.seed,
                "withheld": dict(self.withheld),
            }
        return {
            "prompt_id": self.prompt_id,
            "text": self.text,
            "token_ids": list(self.token_ids),
            "finish_reason": self.finish_reason,
            "prompt_tokens": self.prompt_tokens,
            "template": self.template,
            "seed": self.seed,
        }

    @classmethod
    def from_json(cls, row: dict[str, Json]) -> Completion:
        """Read a row that `to_json` wrote."""
        finish_reason = finish_reason_of(fields.text(row, "finish_reason"))
        if "withheld" in row:
            withheld = _commitments(row, ("text", "token_ids", "prompt_tokens"))
            return cls(
                prompt_id=fields.text(row, "prompt_id"),
                text="",
                token_ids=(),
                finish_reason=finish_reason,
                prompt_tokens=withheld["prompt_tokens"],
                template=fields.text(row, "template"),
                seed=fields.integer(row, "seed"),
                tokens=fields.natural(row, "tokens"),
                withheld=withheld,
            )
        return cls(
            prompt_id=fields.text(row, "prompt_id"),
            text=fields.text(row, "text"),
            token_ids=fields.naturals(row, "token_ids"),
            finish_reason=finish_reason,
            prompt_tokens=fields.text(row, "prompt_tokens"),
            template=fields.text(row, "template"),
            seed=fields.integer(row, "seed"),
        )


def finish_reason_of(name: str) -> FinishReason:
    """Return a reason for an end by its name, or raise `FieldError`."""
    if name not in _FINISH_REASONS:
        raise fields.FieldError(f"{name!r} is no reason for an end, which are 'stop' and 'length'")
    return _FINISH_REASONS[name]


_FINISH_REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one judge said of one completion, and by which of its rules."""

    prompt_id: str
    verdict: Verdict
    rule: str

    def to_json(self) -> dict[str, Json]:
        """Return the row as it stands in `payload/verdicts/`."""
        return {"prompt_id": self.prompt_id, "verdict": self.verdict.value, "rule": self.rule}

    @classmethod
    def from_json(cls, row: dict[str, Json]) -> Judgement:
        """Read a row that `to_json` wrote."""
        name = fields.text(row, "verdict")
        if name not in _VERDICTS:
            raise fields.FieldError(f"{name!r} is not a verdict")
        return cls(prompt_id=fields.text(row, "prompt_id"), verdict=_VERDICTS[name], rule=fields.text(row, "rule"))


_VERDICTS = {verdict.value: verdict for verdict in Verdict}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogprobMargins:
    """How sure the model was of each token of a completion: explains where two runs part, and is no result."""

    prompt_id: str
    margins: tuple[Integer, ...]
    """By how much the token that was taken was likelier than the likeliest other, by their log-probabilities before
    temperature and penalties, in thousandths of a nat. Negative where another token was likelier."""

    def to_json(self) -> dict[str, Json]:
        """Return the row as it stands in `record/logprob-margins/`."""
        return {"prompt_id": self.prompt_id, "margins": list(self.margins)}

    @classmethod
    def from_json(cls, row: dict[str, Json]) -> LogprobMargins:
        """Read a row that `to_json` wrote."""
        return cls(prompt_id=fields.text(row, "prompt_id"), margins=fields.integers(row, "margins"))


def _commitments(row: dict[str, Json], required: Collection[str], optional: Collection[str] = ()) -> dict[str, str]:
    """Return the commitments of a row, or raise `FieldError`."""
    found = fields.mapping(row, "withheld")
    if not set(required) <= found.keys() <= {*required, *optional}:
        raise fields.FieldError(f"'withheld' does not have {', '.join(required)}")
    if wrong := [name for name in found if not _COMMITMENT.fullmatch(fields.text(found, name))]:
        raise fields.FieldError(f"{wrong[0]!r} is not a commitment, hmac-sha256: and 64 hexadecimal digits")
    return {name: fields.text(found, name) for name in found}


Row: TypeAlias = Prompt | Completion | Judgement | LogprobMargins
RowType = TypeVar("RowType", Prompt, Completion, Judgement, LogprobMargins)


def save_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write a file of rows, and the folder that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.writelines(map(row_line, rows))


def row_line(row: Row) -> bytes:
    """Return a row as the line in which it is written: RFC 8785, for it holds no float and its keys are ASCII."""
    return _ENCODER.encode(row.to_json()) + b"\n"


_ENCODER = msgspec.json.Encoder(order="sorted")


def load_rows(path: Path, row_type: type[RowType]) -> list[RowType]:
    """Read a file of rows of one type.

    Raises:
        CheckFailed: a line is not such a row; the problem names file and line.
        OSError: the file cannot be read.
    """
    return list(stream_rows(path, row_type))


def stream_rows(path: Path, row_type: type[RowType], wanted: Container[int] | None = None) -> Iterator[RowType]:
    """Yield the rows of a file of one type, as `load_rows`: all, or those in the wanted lines, numbered from 1."""
    decoder = _decoder(row_type)  # type: ignore[arg-type]  # mypy doubts that a class of these can be hashed
    with path.open("rb") as stream:
        for number, line in enumerate(lines_in(stream, str(path)), 1):
            if wanted is not None and number not in wanted:
                continue
            try:
                row = _as_written(decoder, line) or row_type.from_json(parse_row(line, f"{path}:{number}"))
            except fields.FieldError as error:
                raise CheckFailed.of(f"{path}:{number}", str(error)) from error
            yield row


@lru_cache(maxsize=1)
def _as_written(decoder: msgspec.json.Decoder[RowType], line: bytes) -> RowType | None:
    """Return the row that is written in this very line; None if it needs a slow, explaining look.

    The last one is remembered: where two bundles are read in step, a line that both have is parsed once.
    """
    try:
        row = decoder.decode(line)
    except (ValueError, RecursionError):
        return None
    return row if row_line(row) == line else None


@cache
def _decoder(row_type: type[RowType]) -> msgspec.json.Decoder[RowType]:
    return msgspec.json.Decoder(row_type)
