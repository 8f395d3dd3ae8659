"""Where things lie in a bundle. Written out in docs/architecture.md."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.core.cells import ArmSeed, Cell

MANIFEST = PurePosixPath("manifest.json")
REPORT = PurePosixPath("report.html")
CARDS = PurePosixPath("model-cards")
CRATE = PurePosixPath("ro-crate-metadata.json")
PAYLOAD = PurePosixPath("payload")
PROMPTS = PAYLOAD / "prompts"
TRAINING = PAYLOAD / "training"
ADAPTERS = PAYLOAD / "adapters"
COMPLETIONS = PAYLOAD / "completions"
JUDGING = PAYLOAD / "judging"
VERDICTS = PAYLOAD / "verdicts"
METRICS = PAYLOAD / "metrics.json"
RECORD = PurePosixPath("record")
RUN = RECORD / "run.json"
ENVIRONMENT = RECORD / "environment.json"
DOCUMENTS = RECORD / "documents.json"
REDACTION = RECORD / "redaction.json"
REJUDGE = RECORD / "rejudge.json"
SELFTEST = RECORD / "selftest.json"
LOGPROB_MARGINS = RECORD / "logprob-margins"
LOGS = RECORD / "logs"
SIGNATURES = PurePosixPath("signatures")
STATEMENT = SIGNATURES / "statement.dsse.json"
SIGSTORE = SIGNATURES / "bundle.sigstore.json"
SUMS = SIGNATURES / "SHA256SUMS"
SUMS_SIGNATURE = SIGNATURES / "SHA256SUMS.sig"
PUBLIC_KEY = SIGNATURES / "public_key.pem"


def prompts_file(evaluation: str) -> PurePosixPath:
    """Return where the prompts of an evaluation lie."""
    return PROMPTS / f"{evaluation}.jsonl"


def training_file(weights: ArmSeed) -> PurePosixPath:
    """Return where the trace of one training lies."""
    return TRAINING / f"{weights}.json"


def adapter_folder(weights: ArmSeed) -> PurePosixPath:
    """Return where one adapter lies."""
    return ADAPTERS / str(weights)


def card_file(weights: ArmSeed) -> PurePosixPath:
    """Return where the model card of one adapter lies."""
    return CARDS / f"{weights}.md"


def completions_file(cell: Cell) -> PurePosixPath:
    """Return where the completions of a cell lie."""
    return COMPLETIONS / f"{cell}.jsonl"


def judging_file(cell: Cell, judge: str) -> PurePosixPath:
    """Return where the answers of one judge's model lie, when it was asked about a cell."""
    return JUDGING / f"{cell}.{judge}.jsonl"


def verdicts_file(cell: Cell, judge: str) -> PurePosixPath:
    """Return where one judge's verdicts on a cell lie."""
    return VERDICTS / f"{cell}.{judge}.jsonl"


def logprob_margins_file(cell: Cell) -> PurePosixPath:
    """Return where it lies how sure the model was of each token of a cell."""
    return LOGPROB_MARGINS / f"{cell}.jsonl"
