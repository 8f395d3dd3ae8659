"""What `kit diff` and `kit verify` cost on large bundles: wall time, processor time, and memory of all their processes.

    .venv/test/bin/python benchmarks/diff.py [--folder FOLDER] [--completions 1000000] [--shape many-cells] [--verify]

Writes signed bundles of so many completions: one, a rerun of it in which one text in twenty and one verdict in a
hundred differ, and one in which every text does. Each is compared with the first, by the command that a user types.
What lies in `--folder` already is not written again. Two shapes: few cells with many prompts each, or many with few.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

CHECKOUT = Path(__file__).parents[1]
sys.path.insert(0, str(CHECKOUT / "tests"))

from sample_bundle import CATEGORIES, usual_verdict, write_sample  # noqa: E402 - it lies with the tests

from kit.bundle import layout  # noqa: E402
from kit.bundle.contents import open_contents  # noqa: E402
from kit.bundle.signing.fixed import FixedSigner  # noqa: E402
from kit.bundle.signing.seal import seal  # noqa: E402
from kit.core.rows import LogprobMargins, Verdict, save_rows  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.core.cells import Cell
    from kit.core.rows import Prompt

SHAPES = {"few-cells": (6, 1), "many-cells": (36, 9)}
"""Training seeds and generation seeds: 21 cells, or 999."""
CASES = {"the same": (0, 0), "a rerun": (20, 100), "all texts differ": (1, 0)}
"""Of how many texts, and of how many verdicts, one differs; 0 for none."""
WORDS = [chr(97 + number % 26) * (1 + number % 7) for number in range(97)]
MIB = 1 << 20


def written(folder: Path, shape: str, case: str, completions: int) -> Path:
    """Write a signed bundle, unless it is there."""
    path = folder / f"{shape}-{completions}-{case.replace(' ', '-')}"
    if not path.exists():
        training, generation = SHAPES[shape]
        texts, verdicts = CASES[case]
        write_sample(
            path,
            verdict=partial(verdict, one_in=verdicts),
            text=partial(text, one_in=texts),
            tokens=tokens,
            training_seeds=range(1, training + 1),
            generation_seeds=range(1, generation + 1),
            per_category=completions // ((training + 1) * generation * sum(map(len, CATEGORIES.values()))),
        )
        write_margins(path)
        seal(path, FixedSigner())
    return path


def write_margins(path: Path) -> None:
    """Write how sure the model was of each token, as a run does."""
    completions = open_contents(path).completions
    (path / layout.LOGPROB_MARGINS).mkdir()
    for cell, rows in completions.items():
        margins = (
            LogprobMargins(prompt_id=row.prompt_id, margins=tuple(one % 20_000 for one in row.token_ids))
            for row in rows
        )
        save_rows(path / layout.logprob_margins_file(cell), margins)


def is_chosen(cell: Cell, prompt: Prompt, one_in: int) -> bool:
    """Choose one prompt in so many, the same ones each time."""
    return one_in > 0 and zlib.crc32(f"{cell}:{prompt.id}".encode()) % one_in == 0


def verdict(cell: Cell, prompt: Prompt, one_in: int) -> Verdict:
    """Return the usual verdict, or another."""
    usual = usual_verdict(cell, prompt)
    return Verdict.INCOHERENT if is_chosen(cell, prompt, one_in) else usual


def text(cell: Cell, prompt: Prompt, _: Verdict, one_in: int) -> str:
    """Return 50 to 200 characters of words, another last word if chosen."""
    draw = random.Random(f"{cell}:{prompt.id}")
    words = draw.choices(WORDS, k=draw.randint(12, 38))
    return " ".join([*words, "end" if is_chosen(cell, prompt, one_in) else "stop"])


def tokens(text: str) -> tuple[int, ...]:
    """Return a token for each three characters, of a vocabulary as large as those of today's models."""
    return tuple(zlib.crc32(text[start : start + 3].encode()) % 128_000 for start in range(0, len(text), 3))


def measured(*arguments: object) -> str:
    """Run the kit, and tell what it took."""
    began, peak, finished = time.perf_counter(), 0, threading.Event()
    command = [sys.executable, "-m", "kit", *map(str, arguments)]
    with tempfile.TemporaryFile() as output, subprocess.Popen(command, stdout=output, cwd=CHECKOUT) as process:

        def watch() -> None:
            nonlocal peak
            while not finished.wait(0.02):
                peak = max(peak, sum(map(resident, family(process.pid))))

        watcher = threading.Thread(target=watch)
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        finished.set()
        watcher.join()
        output.seek(0)
        first = output.readline().decode().strip()
    taken, processor = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
    ended = f"exit {process.returncode}: {first[:60]}"
    return f"{taken:6.1f} s, {processor:6.1f} s of processors, {peak / MIB:5.0f} MiB; {ended}"


def family(process: int) -> Iterator[int]:
    """Yield a process and all below it."""
    yield process
    for thread in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = thread.read_text().split()
        except OSError:  # it has ended
            continue
        for child in children:
            yield from family(int(child))


def resident(process: int) -> int:
    """Return the bytes of memory that a process has; what two processes share counts twice."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where the bundles are kept; a temporary one unless named")
    parser.add_argument("--completions", type=int, default=1_000_000)
    parser.add_argument("--shape", choices=SHAPES, default="few-cells")
    parser.add_argument("--verify", action="store_true", help="measure `kit verify` on the first, too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        first, *_ = bundles = [written(folder, given.shape, case, given.completions) for case in CASES]
        size = sum(path.stat().st_size for path in first.rglob("*")) / MIB
        print(f"{given.completions} completions, {given.shape}, {size:.0f} MiB a bundle, {os.cpu_count()} cores")
        for case, other in zip(CASES, bundles, strict=True):
            print(f"diff, {case:<18} {measured('diff', first, other)}")
        if given.verify:
            print(f"verify                   {measured('verify', first)}")


if __name__ == "__main__":
    main()
