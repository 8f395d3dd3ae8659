"""The worker's side: reads its jobs, picks the implementation, writes events.

Run by `kit.worker.process` as `python -m kit.worker.child IMPLEMENTATION EVENTS_FD ALIVE_FD`, jobs on stdin.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kit.worker.jobs import GenerationJob, JobError, JobMemoryError, TrainingJob

if TYPE_CHECKING:
    from collections.abc import Callable

IMPLEMENTATIONS: dict[str, tuple[str, str, type[TrainingJob | GenerationJob]]] = {
    "trl": ("kit.trainer.trl", "train", TrainingJob),
    "scripted-trainer": ("kit.trainer.scripted", "train", TrainingJob),
    "vllm": ("kit.engine.vllm", "generate", GenerationJob),
    "prompts": ("kit.engine.showing", "show", GenerationJob),
    "scripted-engine": ("kit.engine.scripted", "generate", GenerationJob),
    "scripted-prompts": ("kit.engine.scripted", "show", GenerationJob),
}


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

    def _write(self, **event: object) -> None:
        print(json.dumps(event), file=self._stream)


def main(arguments: list[str]) -> int:
    """Run the jobs; exit code 0 when all are finished or one was lost, 1 when one failed for a reason that was said."""
    implementation, events, alive = arguments
    threading.Thread(target=stop_with_parent, args=(int(alive),), daemon=True).start()
    report = PipeReport(int(events))
    module, function, job_type = IMPLEMENTATIONS[implementation]
    jobs = [job_type.from_json(document) for document in json.load(sys.stdin)]
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


def stop_with_parent(alive: int) -> None:
    """Wait for the other end of a pipe to close, which the process that started this one holds, and end with it."""
    os.read(alive, 1)  # returns only when the parent's end is closed
    os._exit(3)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Engine threads can keep an interpreter from ending; everything that counts is on disk.
    os._exit(code)
