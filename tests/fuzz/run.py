"""Coverage-guided fuzzing with atheris: `python tests/fuzz/run.py TARGET [SECONDS [CORPUS]]`.

Needs the environment of `locks/packages.sh fuzz .venv/fuzz`. New inputs that reach new code are kept in CORPUS (by
default a folder in `.venv`); what breaks a target is written beside it, and belongs into `tests/fuzz/seeds/TARGET`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

with atheris.instrument_imports(include=["kit"]):
    from targets import TARGETS


def main(name: str, seconds: str = "300", corpus: str = "") -> None:
    """Fuzz one target for a time."""
    found = Path(corpus or HERE.parents[1] / ".venv/fuzz-corpus" / name)
    found.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=1024", "-max_len=20000"]
    prefix = f"-artifact_prefix={found.parent}/{name}-"
    atheris.Setup([sys.argv[0], *options, prefix, str(found), str(HERE / "seeds" / name)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
