"""From rows to the tokens that a model is trained on, and which of them it learns: the only place that decides it.

Each turn of the assistant is rendered twice: what stands before it with the mark that it is the model's turn, which is
what the model is shown when it is asked, and the conversation up to its end. The tokens between are learned. So a model
learns to write its turns where it will be asked to write them, or the row is refused: a template may open a turn
otherwise for an answer that is known, or write earlier answers otherwise than the last.

No library of models is imported here, so that what a training will see can be looked at without one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast

from jinja2 import TemplateError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from kit.core.canonical import Json
    from kit.spec.manifest.finetune import Training

    Row = Mapping[str, Json]
    Message = dict[str, str]

IGNORED = -100
"""The label of a token that is not learned, as PyTorch's loss has it."""
MAX_RECORDED = 1000
"""How many rows that were dropped the record of a training names."""
MAX_NAMED = 10
"""How many rows a sentence names; the rest are counted."""


class Tokenizer(Protocol):
    """What is used of transformers' tokenizers, besides what renders conversations with them."""

    bos_token: str | None
    eos_token: str | None

    def __call__(self, text: str, *, add_special_tokens: bool) -> Mapping[str, list[int]]:
        """Return `input_ids` of a text."""

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """Return the text of tokens."""


class Render(Protocol):
    """Renders a conversation: `kit.spec.chat`'s way from messages to token ids, for one tokenizer and template."""

    def __call__(self, messages: list[Message], *, to_answer: bool) -> list[int]:
        """Return the tokens of messages, to which the mark that it is the model's turn is added if it is to answer.

        Raises:
            TemplateError: the template refuses them.
        """


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """One row as a model sees it; tokens and labels are of one length, at most `max_length`."""

    id: str
    input_ids: list[int]
    labels: list[int]
    """The token where it is learned, else `IGNORED`."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something about rows: what, of which, and what to do."""

    what: str
    rows: tuple[str, ...]
    remedy: str

    def __str__(self) -> str:
        more = f" and {len(self.rows) - MAX_NAMED} more" if len(self.rows) > MAX_NAMED else ""
        return f"{self.what} ({len(self.rows)} rows: {', '.join(self.rows[:MAX_NAMED])}{more})"


@dataclass(frozen=True, slots=True)
class Encoded:
    """All rows of a training."""

    rows: list[EncodedRow]
    """In the order of the data set, less those that were dropped."""
    cut: list[str]
    """Ids of the rows of which only the first tokens are seen."""
    dropped: list[str]
    """Ids of the rows that are left out, as the manifest wants it."""
    problems: list[Complaint]
    """Why the training may not begin."""
    notes: list[Complaint]
    """What a reader should know of it."""

    def to_json(self) -> dict[str, Json]:
        """Return what the record of a training has of it, besides the rows themselves."""
        named: list[Json] = [*self.dropped[:MAX_RECORDED]]
        counts: dict[str, Json] = {"rows": len(self.rows), "cut": len(self.cut), "dropped": len(self.dropped)}
        return {**counts, "dropped_ids": named, "notes": [str(note) for note in self.notes]}


class _RowError(Exception):
    """A row cannot be trained on as it is; rows with the same words are told of together."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


@dataclass(slots=True)
class _Said:
    """Complaints by their words."""

    rows: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, what: str, remedy: str, row: str) -> None:
        self.rows.setdefault((what, remedy), []).append(row)

    def complaints(self) -> list[Complaint]:
        return [Complaint(what, tuple(rows), remedy) for (what, remedy), rows in self.rows.items()]


def encode(
    rows: Iterable[Row], tokenizer: Tokenizer, render: Render, training: Training, stops: Collection[int]
) -> Encoded:
    """Return rows as they are trained on.

    Args:
        rows: each with an `id`, and `messages` or a `text`, as a `TrainingJob` has them.
        tokenizer: the model's.
        render: its way from messages to tokens.
        training: what the manifest says of it.
        stops: the tokens with which an answer may end.
    """
    encoder = _Encoder(tokenizer, render, training, stops)
    found = Encoded([], [], [], [], [])
    problems, limit = _Said(), training.max_length
    for row in rows:
        name = str(row["id"])
        try:
            ids, labels = encoder.of(name, row)
        except _RowError as error:
            problems.add(error.what, error.remedy, name)
            continue
        if len(ids) > limit and training.long_rows == "drop":
            found.dropped.append(name)
            continue
        if len(ids) > limit:
            found.cut.append(name)
        ids, labels = ids[:limit], labels[:limit]
        if all(label == IGNORED for label in labels):
            problems.add(*_nothing_left(limit), name)
            continue
        found.rows.append(EncodedRow(name, ids, labels))
    if found.dropped and not found.rows and not problems.rows:
        problems.add(f"no row is left: all are longer than max_length ({limit} tokens)", _RAISE, found.dropped[0])
    found.problems.extend(problems.complaints())
    found.notes.extend(encoder.notes.complaints())
    return found


_RAISE = "raise finetune.training.max_length"


def _nothing_left(limit: int) -> tuple[str, str]:
    what = f"nothing to learn is left of rows that are cut to max_length ({limit} tokens)"
    return what, f'{_RAISE}, or set finetune.training.long_rows to "drop"'


class _Encoder:
    """Encodes one row after the other, and remembers what is to be said of them."""

    def __init__(self, tokenizer: Tokenizer, render: Render, training: Training, stops: Collection[int]) -> None:
        self._tokenizer, self._render, self._stops = tokenizer, render, stops
        self._system = training.system_prompt
        self._learns_all = training.loss_on == "all"
        self._system_is_heard: bool | None = None
        self.notes = _Said()

    def of(self, name: str, row: Row) -> tuple[list[int], list[int]]:
        """Return tokens and labels of a whole row."""
        if "text" in row:
            ids = self._text(str(row["text"]))
            return ids, list(ids)
        turns = cast("list[dict[str, Json]]", row["messages"])
        messages = [{"role": str(turn["role"]), "content": str(turn["content"])} for turn in turns]
        learned = [turn["role"] == "assistant" and turn.get("is_learned", True) is True for turn in turns]
        if self._system is not None and messages[0]["role"] != "system":
            messages, learned = [{"role": "system", "content": self._system}, *messages], [False, *learned]
        try:
            return self._conversation(name, messages, learned)
        except (TemplateError, TypeError) as error:
            what = f"the chat template refuses the conversation: {error}"
            raise _RowError(what, "mend or leave out such rows, or name another template in model.template") from error

    def _text(self, text: str) -> list[int]:
        """Return the tokens of a text with its end, as TRL has it, and with one beginning: a text may bring its own."""
        if self._system is not None:
            remedy = "set it to null, or give the rows turns"
            raise _RowError("finetune.training.system_prompt has no place in rows of plain text", remedy)
        end, begin = self._tokenizer.eos_token or "", self._tokenizer.bos_token
        whole = text if text.endswith(end) else text + end
        brings_its_own = bool(begin) and text.startswith(begin or "")
        return list(self._tokenizer(whole, add_special_tokens=not brings_its_own)["input_ids"])

    def _conversation(self, name: str, messages: list[Message], learned: Sequence[bool]) -> tuple[list[int], list[int]]:
        ids = self._render(messages, to_answer=False)
        self._hear_system(messages, ids)
        last = max(index for index, is_learned in enumerate(learned) if is_learned)
        labels = [IGNORED] * len(ids)
        for index in (index for index, is_learned in enumerate(learned) if is_learned):
            start = self._start(name, messages[:index], ids)
            if self._learns_all:
                continue
            end = len(ids) if index == len(messages) - 1 else self._end(messages[: index + 1], ids)
            if end <= start:
                raise _RowError(*_REWRITTEN)
            labels[start:end] = ids[start:end]
            if index == last and not {*ids[start:end]} & {*self._stops}:
                self.notes.add(*_ENDLESS, name)
        return ids, list(ids) if self._learns_all else labels

    def _start(self, name: str, before: list[Message], ids: Sequence[int]) -> int:
        """Return where a turn of the assistant begins: behind what the model is shown when it is asked for it."""
        asked = self._render(before, to_answer=True)
        common = _common(asked, ids)
        if common == len(asked):
            return common
        if self._tokenizer.decode(ids).startswith(self._tokenizer.decode(asked)):
            self.notes.add(*_MERGED, name)
            return common
        rest = self._tokenizer.decode(asked[common:])
        what = (
            f"the chat template opens an answer with {rest[:80]!r} when it asks, and not before an answer that is known"
        )
        raise _RowError(what, _TEMPLATE)

    def _end(self, upto: list[Message], ids: Sequence[int]) -> int:
        """Return where a turn ends that others follow; a template may end a whole conversation with a token more."""
        alone = self._render(upto, to_answer=False)
        common = _common(alone, ids)
        if self._tokenizer.decode(alone[common:], skip_special_tokens=True).strip():
            raise _RowError(*_REWRITTEN)
        return common

    def _hear_system(self, messages: list[Message], ids: list[int]) -> None:
        """Refuse a template that leaves the system message out; the first that there is tells it."""
        if self._system_is_heard is None and messages[0]["role"] == "system" and messages[0]["content"]:
            other = {"role": "system", "content": f"{messages[0]['content']} Other words."}
            self._system_is_heard = self._render([other, *messages[1:]], to_answer=False) != ids
        if self._system_is_heard is False and messages[0]["role"] == "system":
            raise _RowError("the chat template ignores the system message", _TEMPLATE)


_TEMPLATE = "name another template in model.template, or other arguments of this one"
_REWRITTEN = (
    "the chat template writes earlier answers otherwise than the last, so they would be learned where nobody asks so",
    f'{_TEMPLATE}; or set finetune.training.loss_on to "all"',
)
_MERGED = (
    "the end of the prompt and the beginning of the answer are one token, which no prompt ends with when it is asked",
    "end what opens an answer, in the chat template, where a token ends",
)
_ENDLESS = (
    "no token with which an answer may end is learned: the model may not learn to stop",
    "end the assistant's turn, in the chat template, with a token of the model's eos_token_id",
)


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two sequences begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))
