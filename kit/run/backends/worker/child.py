"""The worker's side: reads its jobs, picks the implementation, writes events.

Run by `kit.run.backends.worker.process` as `python -m kit.run.backends.worker.child IMPLEMENTATION EVENTS_FD ALIVE_FD`,
with its jobs on stdin.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from kit.run.backends.worker.jobs import PROMPTS, GenerationJob, JobError, JobMemoryError, TrainingJob
from kit.spec.backends import engines, trainers

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


def implementation_of(name: str) -> tuple[str, type[TrainingJob | GenerationJob]]:
    """Return `MODULE:FUNCTION` of what a trainer or an engine does, and the jobs that it takes.

    Args:
        name: of a trainer, of an engine, or of an engine's way to show prompts.
    """
    if name in trainers():
        return trainers()[name].train, TrainingJob
    shown = name.removesuffix(PROMPTS)
    return (engines()[name].generate if shown == name else engines()[shown].show), GenerationJob


MAX_DESCRIBED = 600
"""How many characters of an exception are passed on; its log has all."""


class PipeReport:
    """Writes events as lines of JSON."""

    def __init__(self, descriptor: int) -> None:
        """Write to an open file descriptor."""
        self._stream = os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)
        self._loads = 0

    def loaded(self, job: int) -> None:
        """Say that an engine was loaded, in the worker's log too."""
        self._loads += 1
        sys.stderr.write(f"kit: engine load {self._loads}, for job {job}\n")
        self._write(event="loaded", job=job)

    def progress(self, job: int, done: int, total: int) -> None:
        """Say how far one job has come."""
        self._write(event="progress", job=job, done=done, total=total)

    def finished(self, job: int) -> None:
        """Say that everything a job promises lies in its folder."""
        self._write(event="finished", job=job)

    def lost(self, error: JobMemoryError) -> None:
        """Say which jobs do not fit into memory."""
        for job in error.jobs:
            self._write(event="lost", job=job, what=error.what, remedy=error.remedy)

    def failed(self, error: JobError) -> None:
        """Say why the jobs cannot be done."""
        self._write(event="failed", what=error.what, remedy=error.remedy)

    def broke(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> NoReturn:
        """Say, as an interpreter's last word (`sys.excepthook`), that something happened that nobody foresaw."""
        traceback.print_exception(kind, error, trace)
        self._write(event="broke", what=described(error))
        stop(1)

    def _write(self, **event: object) -> None:
        print(json.dumps(event), file=self._stream)


def main(arguments: list[str]) -> int:
    """Run the jobs; exit code 0 when all are finished or one was lost, 1 when one failed for a reason that was said."""
    implementation, events, alive = arguments
    threading.Thread(target=stop_with_parent, args=(int(alive),), daemon=True).start()
    report = PipeReport(int(events))
    sys.excepthook = report.broke
    place, job_type = implementation_of(implementation)
    module, _, function = place.partition(":")
    jobs = msgspec.json.Decoder(list[job_type]).decode(sys.stdin.buffer.read())  # type: ignore[valid-type]
    run: Callable[[list[Any], PipeReport], None] = getattr(import_module(module), function)
    try:
        run(jobs, report)
    except JobMemoryError as error:
        traceback.print_exception(error)
        report.lost(error)  # and no more: what an allocation left half done is no ground for the next job
    except JobError as error:
        report.failed(error)
        return 1
    return 0


def described(error: BaseException) -> str:
    """Return what an unforeseen exception says, and what the first of those behind it says, on one line."""
    first = error
    while behind := first.__cause__ or (None if first.__suppress_context__ else first.__context__):
        first = behind
    texts = [
        f"{type(one).__name__}: {' '.join(str(one).split())}".rstrip(": ") for one in dict.fromkeys([error, first])
    ]
    return ", after ".join(text if len(text) <= MAX_DESCRIBED else f"{text[:MAX_DESCRIBED]}…" for text in texts)


def stop(code: int) -> NoReturn:
    """End this process at once: engine threads can keep an interpreter from it, and all that counts is on disk."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def stop_with_parent(alive: int) -> None:
    """Wait for the other end of a pipe to close, which the process that started this one holds, and end with it."""
    os.read(alive, 1)  # returns only when the parent's end is closed
    os._exit(3)


if __name__ == "__main__":
    stop(main(sys.argv[1:]))
