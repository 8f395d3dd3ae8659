"""Templates of chat models that were published without one, in the kit's own words.

What one writes never changes: manifests pin its digest. A better one gets another name.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "shipped_templates"
NAMES = ("falcon", "llama-2", "vicuna", "zephyr")
"""Each is a file `NAME.jinja`; the schema's `shipped` lists the same."""


def file_name(name: str) -> str:
    """Return the file of a shipped template."""
    return f"{name}.jinja"
