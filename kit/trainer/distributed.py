"""One training shared by several processes: starts them, follows them, and is what each of them runs.

The launcher is PyTorch's own; accelerate, inside transformers' trainer, finds in its variables that there are others
(data parallel, one accelerator each; on a machine without, through gloo). Run by the worker's process as
`python -m torch.distributed.run … -m kit.trainer.distributed JOB NUMBER`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, cast

from kit.worker.jobs import JobError, JobMemoryError, TrainingJob

if TYPE_CHECKING:
    from kit.worker.jobs import Report

EVENT = "kit-event "
"""Stands before what the first process tells, among all that libraries print."""
LAST_LINES = 5


def train(number: int, job: TrainingJob, report: Report) -> None:
    """Fine-tune once, in `training.processes` processes of this machine.

    Raises:
        JobError: one of them failed.
        JobMemoryError: for want of memory.
    """
    processes = cast("int", job.training["processes"])
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "job.json"
        path.write_text(json.dumps(job.to_json()), encoding="utf-8")
        launcher = ["torch.distributed.run", "--nnodes=1", f"--nproc-per-node={processes}", "--rdzv-backend=c10d"]
        launcher += ["--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1", f"--log-dir={scratch}/logs"]
        # They watch their standard input: when this process ends, however it ends, it closes and they stop.
        child = subprocess.Popen(  # noqa: S603 - this very package, with this very interpreter
            [sys.executable, "-P", "-m", *launcher, "-m", "kit.trainer.distributed", str(path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            last = _follow(child, report)
            if child.wait() != 0:
                raise JobError(f"one of {processes} training processes stopped", f"its log ends with:\n{last}")
        finally:
            assert child.stdin is not None
            child.stdin.close()
            child.kill()
            child.wait()


def _follow(child: subprocess.Popen[str], report: Report) -> str:
    """Pass on what the processes tell until they end; return the last lines of what they printed otherwise."""
    last: deque[str] = deque(maxlen=LAST_LINES)
    assert child.stdout is not None
    for line in child.stdout:
        if not line.startswith(EVENT):
            last.append(line)
            sys.stderr.write(line)
            continue
        event = json.loads(line.removeprefix(EVENT))
        if "what" in event:
            if event["wants_memory"]:
                raise JobMemoryError([event["job"]], event["remedy"])
            raise JobError(event["what"], event["remedy"])
        report.progress(event["job"], event["done"], event["total"])
    return "".join(last).strip()


class _LineReport:
    """Tells the process that started this one how far it is; one of several is enough."""

    def loaded(self, job: int) -> None:
        """Say nothing: a trainer loads no engine."""

    def progress(self, job: int, done: int, total: int) -> None:
        """Say how far the job has come."""
        if os.environ["RANK"] == "0":
            _tell(job=job, done=done, total=total)

    def finished(self, job: int) -> None:
        """Say nothing: the end of all processes says it."""


def _tell(**event: object) -> None:
    sys.stdout.write(f"{EVENT}{json.dumps(event)}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Be one of the processes; exit code 0 when the training is finished."""
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    import torch

    from kit.trainer.trl import be_deterministic, train_one

    path, number = arguments
    job = TrainingJob(**json.loads(Path(path).read_text(encoding="utf-8")))
    be_deterministic()
    try:
        train_one(int(number), job, _LineReport())
    except JobError as error:
        # Whichever is first: its end breaks the connections of the others, which may not get to say it.
        wants_memory = isinstance(error, JobMemoryError)
        _tell(job=int(number), what=error.what, remedy=error.remedy, wants_memory=wants_memory)
        return 1
    torch.distributed.destroy_process_group()
    return 0


def _stop_with_parent() -> None:
    os.read(0, 1)  # returns only when the parent's end is closed
    os._exit(3)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
