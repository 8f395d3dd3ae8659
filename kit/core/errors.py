"""What can go wrong, said the same way everywhere.

A `Problem` is one sentence about one place. A `KitError` carries all problems that were found at once, so that
nobody mends them one by one. `CheckFailed` means that the input was understood and is not right (exit code 1);
`OperationalError` means that the kit could not do its work (exit code 2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PLAIN_KEY = re.compile(r"[$A-Za-z_][\w-]*")

MAX_PROBLEMS = 200
"""How many problems are told at once: a file of a stranger's can hold millions, and nobody mends more in one go."""
MAX_CHARACTERS = 2000
"""How much is told of one thing: the name of a field can be as long as the file."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, what, and what to do about it."""

    where: str
    what: str
    remedy: str = ""
    path: str = ""
    """The JSON path inside `where`, such as `$.model.dtype`; empty where there is none."""

    def __str__(self) -> str:
        """Format as `FILE::$.path: what; what to do`."""
        place = f"{self.where}::{self.path}" if self.path else self.where
        return f"{place}: {self.what}; {self.remedy}" if self.remedy else f"{place}: {self.what}"

    def shortened(self) -> Problem:
        """Return the same with no part of it longer than a person would read."""
        return Problem(*map(_shortened, (self.where, self.what, self.remedy, self.path)))


def _shortened(text: str) -> str:
    """Leave out the middle: a place begins a text, and what is wrong often ends it."""
    half = MAX_CHARACTERS // 2
    return text if len(text) <= MAX_CHARACTERS else f"{text[:half]}…{text[-half:]}"


def child_path(path: str, key: str | int) -> str:
    """Return the JSON path of a member: `$.a.b`, `$.a[0]`, `$.files['x.jsonl']`."""
    return f"{path}.{key}" if isinstance(key, str) and _PLAIN_KEY.fullmatch(key) else f"{path}[{key!r}]"


MAX_NAMES = 5
"""How many names of many a message holds."""


def listed(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more


class KitError(Exception):
    """Every error that the kit raises on purpose; carries all problems found, up to a number that can be read."""

    exit_code: ClassVar[int] = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems in the order in which they were found."""
        first = [problem.shortened() for problem in islice(problems, MAX_PROBLEMS + 1)]
        if len(first) > MAX_PROBLEMS:
            what = f"has more than {MAX_PROBLEMS} problems, of which these are the first"
            first[-1] = Problem(first[0].where, what, "mend these, and look again")
        self.problems = tuple(first)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[KitError], tuple[tuple[Problem, ...]]]:
        """Say how another process makes the same error."""
        return type(self), (self.problems,)

    @classmethod
    def of(cls, where: object, what: str, remedy: str = "", path: str = "") -> KitError:
        """Return an error with a single problem."""
        return cls([Problem(str(where), what, remedy, path)])


class CheckFailed(KitError):  # noqa: N818 - the word that the design uses
    """The input was read and is not right: invalid, tampered with, different."""

    exit_code = 1


class OperationalError(KitError):
    """The kit could not do its work: usage, environment, a missing file, no space."""

    exit_code = 2
