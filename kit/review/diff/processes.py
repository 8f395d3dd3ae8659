"""Work on many things at once, in several processes if there is much of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from kit.core.errors import CheckFailed, OperationalError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(work: Callable[[Item], Result], items: Sequence[Item], processes: int) -> list[Result]:
    """Return what a module's function makes of each item, in their order; with several processes, the same.

    Raises:
        CheckFailed: what `work` found wrong with any of them, all at once.
        OperationalError: a process was ended.
    """
    if processes == 1:
        return _all(partial(work, item) for item in items)
    # Imported here: most comparisons need no second process.
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    try:
        # A fresh interpreter inherits neither threads nor memory, and is the same on every system.
        pool = ProcessPoolExecutor(processes, get_context("spawn"))
    except (ImportError, NotImplementedError, OSError):  # a system without semaphores, as some containers are
        return each(work, items, 1)
    with pool:
        try:
            return _all([pool.submit(work, item).result for item in items])
        except BrokenProcessPool as error:
            raise OperationalError.of("kit", "one of its processes was ended", "is there enough memory?") from error


def _all(results: Iterable[Callable[[], Result]]) -> list[Result]:
    found: list[Result] = []
    problems: list[Problem] = []
    for result in results:
        try:
            found.append(result())
        except CheckFailed as error:
            problems += error.problems
    if problems:
        raise CheckFailed(problems)
    return found
