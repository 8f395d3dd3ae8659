"""A reproducibility kit for safety evaluation of fine-tuned language models.

For programs and notebooks, on a bundle's folder or its zip, without torch:

>>> import kit
>>> bundle = kit.load("bundle.zip")
>>> bundle.verify().results_digest == bundle.results_digest
True
>>> frame = bundle.completions().to_pandas()
>>> kit.diff(bundle, "bundle.zip").grade
'bitwise'

docs/library.md shows more. These names are what later releases keep; the modules below may move.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from kit.core.version import __version__

if TYPE_CHECKING:
    from kit.core.errors import CheckFailed, KitError, OperationalError, Problem
    from kit.library.bundle import Bundle, load
    from kit.library.comparison import Comparison, diff
    from kit.library.rows import CompletionRow, PromptRow, VerdictRow
    from kit.library.table import Table
    from kit.review.verify import Verification

_HOMES = {
    **dict.fromkeys(("CheckFailed", "KitError", "OperationalError", "Problem"), "kit.core.errors"),
    **dict.fromkeys(("Bundle", "load"), "kit.library.bundle"),
    **dict.fromkeys(("Comparison", "diff"), "kit.library.comparison"),
    **dict.fromkeys(("CompletionRow", "PromptRow", "VerdictRow"), "kit.library.rows"),
    "Table": "kit.library.table",
    "Verification": "kit.review.verify",
}
"""Imported when it is asked for: the command line and the workers start without (PEP 562)."""

__all__ = [
    "Bundle",
    "CheckFailed",
    "Comparison",
    "CompletionRow",
    "KitError",
    "OperationalError",
    "Problem",
    "PromptRow",
    "Table",
    "VerdictRow",
    "Verification",
    "__version__",
    "diff",
    "load",
]

if not TYPE_CHECKING:  # a type checker knows the names from above, and that there are no others

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'kit' has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)

    def __dir__() -> list[str]:
        return [*__all__]
