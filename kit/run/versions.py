"""Versions of what decides a step's result beside the manifest, the data and the machine.

They stand in the keys of the steps, so raising one does those steps again, and nothing else does. The source bytes are
not in the keys: a comment costs nobody a training. `tests/test_versions.py` fails when the code that decides a
result was changed, and says what to do.
"""

from __future__ import annotations

TRAINING_VERSION = 1
"""Raised when the same training step would give other weights."""
GENERATION_VERSION = 1
"""Raised when the same prompts, asked of the same weights, would be answered otherwise; judges' models included."""
