"""Rows out of files. A format is one small file here, declared by name in the manifest and never guessed."""

from __future__ import annotations

from kit.source import dolly, gsm8k, prompt_completion, prompts, recorded, xstest, xstest_completions

_MODULES = (dolly, gsm8k, prompt_completion, prompts, recorded, xstest, xstest_completions)
FORMATS = {module.FORMAT.name: module.FORMAT for module in _MODULES}
"""Every format by its name in the manifest; the schema's `format` lists the same."""
