"""What the kit costs: its wall time beside a plain script with the same TRL and vLLM calls.

    .venv/run/bin/python benchmarks/overhead.py [--pairs 3]

Both fine-tune the embedded model once and ask base and tuned model the quickstart's four evaluations; the kit also
asks its self-test, judges, measures, renders the report, signs and zips. They run in turn, so that a machine whose
speed drifts slows both; the ratio of each pair counts, not the seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kit.spec.environment.switches import ISOLATION

CHECKOUT = Path(__file__).parents[1]
PLAIN = Path(__file__).with_name("plain_script.py")


def one_seed_project(folder: Path) -> Path:
    """Write the quickstart with a single training seed."""
    manifests = CHECKOUT / "manifests"
    shutil.copytree(manifests / "toy", folder / "toy")
    document = json.loads((manifests / "quickstart.json").read_text(encoding="utf-8"))
    document["seeds"]["training"] = [1]
    document["expect"] = None
    path = folder / "manifest.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Return the wall time of a command that must succeed."""
    start = time.monotonic()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - start


def main() -> None:
    """Run the pairs and print each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=3)
    pairs = parser.parse_args().pairs
    ratios = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        manifest = one_seed_project(folder)
        switches = json.loads(manifest.read_text(encoding="utf-8"))["environment"]["switches"]
        environment = os.environ | ISOLATION | switches | {"XDG_CONFIG_HOME": scratch}
        for number in range(pairs):
            out = folder / f"out-{number}"
            kit = seconds([sys.executable, "-m", "kit", "reproduce", str(manifest), "--out", str(out)], environment)
            plain = seconds([sys.executable, str(PLAIN), str(manifest)], environment)
            ratios.append(kit / plain)
            print(f"pair {number + 1}: kit {kit:.1f} s, plain script {plain:.1f} s, ratio {ratios[-1]:.2f}", flush=True)
    print(f"kit / plain script: median {statistics.median(ratios):.2f} over {pairs} pairs")


if __name__ == "__main__":
    main()
