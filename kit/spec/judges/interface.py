"""What a judge is, and what a kind of judge says of itself. Each file in this folder that ends in a `KIND` is a kind.

Everything that differs from kind to kind stands in that file: the manifest's schema, the checks before a run, the
report, the exports and the documentation ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from kit.core.rows import Completion, Judgement, Prompt

Settings = Mapping[str, Any]
"""What a manifest says to a judge: the entry in `judges`, or its `settings` where the kind comes from outside."""


class Judge(Protocol):
    """A judge; the same rows and the same `rules` give the same verdict everywhere."""

    @property
    def rules(self) -> str:
        """The `xxh3_128:` digest of everything that decides its verdicts, so that a manifest can pin the judge."""

    def judge(self, prompt: Prompt, completion: Completion) -> Judgement:
        """Return the verdict on one completion, and the rule that decided.

        Raises:
            CheckFailed: the prompt lacks what this judge needs.
        """


class Lack(NamedTuple):
    """What a prompt does not have, and what to do about it."""

    what: str
    """As it follows “has” or “have”: `no exact answer`."""
    remedy: str


def _lacks_nothing(_prompt: Prompt) -> Lack | None:
    return None


def _no_names(_settings: Settings) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeKind:
    """A kind of judge, and everything that the rest of the kit must know of it."""

    name: str
    """What a manifest chooses it by; one from outside is called `DISTRIBUTION/NAME`, whatever it calls itself."""
    about: str
    """What it is, in a few words, for the schema and the documentation."""
    evaluation: str
    """The kind of evaluation that it can judge: `safety` or `capability`."""
    method: str
    """How it scores, for a paper's methods and checklist; it follows “answers are scored”."""
    caveat: str
    """What a reader of the report should hold against it; it follows “The judge NAME”, and ends with a full stop."""
    make: Callable[[Settings, Iterable[Completion]], Judge]
    """Makes the judge of what a manifest says to it, and of what its model answered in the cell to be judged."""
    needs: str = ""
    """What it needs beside a prompt and a completion, for the documentation."""
    lack: Callable[[Prompt], Lack | None] = _lacks_nothing
    """Tells what a prompt lacks that it needs; asked before a run."""
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """JSON Schema of what a manifest must say to it beside `kind` and `rules`, by field."""
    asks_model: bool = False
    """Whether it asks a model about each completion, which is then part of a run."""
    is_label: bool = False
    """Whether its verdict is the label that the data set brings, whatever was answered."""
    named_rules: Callable[[Settings], Mapping[str, str]] = _no_names
    """Returns the verdicts of rules whose names do not say them as `VERDICT:REASON` does."""

    def verdict_of(self, settings: Settings, rule: str) -> str | None:
        """Return the verdict that a rule's name says it gives; None where it says none."""
        start, colon, _ = rule.partition(":")
        return self.named_rules(settings).get(rule, start if colon else None)
