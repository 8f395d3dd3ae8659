"""`python tests/golden/make.py`: write the golden bundle of this version, which later kits have to verify for ever.

A real run of the tests' scripted project: the worker's processes, the store, judges and signatures are those of any
run, and only training and generation are by rule (`kit/run/backends/*/scripted.py`), so nothing heavy is needed and
nothing in it is anybody's. It has what a bundle can have: LoRA adapters of two seeds, a variation, two generation
seeds, a judge of patterns, one that asks a model, exact answers. Beside it: a redacted copy and a receipt of a rerun.
The key is the tests' own, and signs nothing else.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from scripted_project import judge_entry, judged_draft, run_scripted, write_files, write_judge, write_manifest  # noqa: E402

from kit import __version__  # noqa: E402
from kit.bundle.signing.fixed import FixedSigner  # noqa: E402
from kit.review.diff.grade import Grade  # noqa: E402
from kit.review.receipt import make_receipt  # noqa: E402
from kit.review.redact.bundle import Options, redact  # noqa: E402
from kit.review.redact.commitment import RedactionKey  # noqa: E402

if TYPE_CHECKING:
    from kit.core.canonical import Json

CHANGES: dict[str, Json] = {
    "/seeds/generation": [11, 12],
    "/variations": [{"name": "hot", "set": {"/evaluations/unsafe/generation/temperature": 1.0}}],
    "/expect": {"grade": "tokens", "margin": 0.1, "numbers": {"base/unsafe/pattern/refusal_rate": 1.0}},
}
RECORD = HERE / "bundles.json"


def main() -> None:
    """Write the bundle, its redacted copy and the receipt, and note by which line they are known."""
    with TemporaryDirectory() as home:
        project = write_judge(write_files(Path(home) / "project"))
        manifest = write_manifest(project, CHANGES, source=judged_draft(llm=judge_entry()))
        whole = run_scripted(manifest, Path(home) / "whole")
        again = run_scripted(manifest, Path(home) / "again")
        shared = redact(
            whole.folder,
            Path(home) / "shared",
            Options(everything=True),
            key=RedactionKey(bytes(range(32))),
            signer=FixedSigner(),
        )
        _, receipt = make_receipt(
            whole.folder,
            again.folder,
            FixedSigner(1),
            required=Grade.BITWISE,
            margin=None,
            time="2026-11-28T12:00:00Z",
        )
        for made, name in ((whole.archive, ""), (shared.archive, "-redacted")):
            shutil.copyfile(made, HERE / f"{__version__}{name}.zip")
        (HERE / f"{__version__}.receipt.json").write_bytes(receipt)
        known = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
        known[__version__] = whole.results_digest
        known[f"{__version__}-redacted"] = shared.results_digest
        RECORD.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
