"""Threads: a training on several repeats itself byte for byte."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from test_distributed import SWITCHES, training_job

from kit.run.backends.worker.jobs import TRACE
from kit.run.backends.worker.process import Worker

if TYPE_CHECKING:
    from pathlib import Path


def trained(folder: Path, number: int) -> dict[str, Any]:
    """Train in a process of its own with two threads, and return the trace."""
    job = training_job(folder, number, {})
    list(Worker(dict(os.environ)).run("trl", [job], {**SWITCHES, "OMP_NUM_THREADS": "2"}, folder / "log"))
    return dict(json.loads((folder / str(number) / TRACE).read_bytes()))


def test_the_same_number_of_threads_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = trained(tmp_path, 1), trained(tmp_path, 2)
    assert first == second
    assert first["losses"][-1]["loss"] < first["losses"][0]["loss"]
