"""`python scripted_kit.py ARGUMENT…`: the kit with its heavy backends scripted; the tests' `kit`.

With KILL_AT=N in the environment, the process sends itself the signal KILL_WITH right before it changes the file system
for the Nth time, or does so in the one way that KILL_ON names: a crash at a chosen place, which no timer can give.
"""

from __future__ import annotations

import os
import signal
import sys

from kit.run.backends.worker.process import Worker
from kit.run.executor import Backends

CHANGES = frozenset({"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.chmod", "os.link"})
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def scripted_backends() -> Backends:
    """Return the real worker, in a real process, that does its work by rule instead of by torch."""
    worker = Worker(dict(os.environ))
    return Backends(worker=worker, trainer="scripted-trainer", engine="scripted-engine")


def signal_at(number: int, count: int, only: str) -> None:
    """Send this process a signal before its change number `count`, counting one kind of change or all."""
    left = count

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        flags = arguments[2] if event == "open" else 0
        changes = event in CHANGES or (isinstance(flags, int) and flags & WRITING)
        if changes and only in ("", event):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), number)

    sys.addaudithook(watch)


if __name__ == "__main__":
    from kit.cli import main

    if "KILL_AT" in os.environ:
        signal_at(signal.Signals[os.environ["KILL_WITH"]], int(os.environ["KILL_AT"]), os.environ["KILL_ON"])
    main(scripted_backends())
