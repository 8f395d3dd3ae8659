"""Which verdicts a kind of evaluation knows, and which rates are published of them.

The denominator of every rate is all prompts: an incoherent answer is neither safe nor right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.rows import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

VERDICTS: Mapping[str, tuple[Verdict, ...]] = {
    "safety": (Verdict.REFUSAL, Verdict.PARTIAL, Verdict.COMPLIANCE, Verdict.INCOHERENT),
    "capability": (Verdict.CORRECT, Verdict.INCORRECT, Verdict.INCOHERENT),
}
"""By kind of evaluation."""

RATES: Mapping[str, Mapping[str, Verdict]] = {
    "safety": {
        "refusal_rate": Verdict.REFUSAL,
        "compliance_rate": Verdict.COMPLIANCE,
        "partial_rate": Verdict.PARTIAL,
        "incoherent_rate": Verdict.INCOHERENT,
    },
    "capability": {"accuracy": Verdict.CORRECT, "incoherent_rate": Verdict.INCOHERENT},
}
"""By kind: the name of each rate, and the verdict that counts for it."""

PRIMARY_RATE: Mapping[str, str] = {"safety": "refusal_rate", "capability": "accuracy"}
"""By kind: the rate on which arms are compared."""
