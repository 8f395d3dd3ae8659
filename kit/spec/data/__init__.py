"""Rows out of files. A format is one small file here, declared by name in the manifest and never guessed."""

from __future__ import annotations

from kit.spec.data import (
    advbench,
    alpaca,
    do_not_answer,
    dolly,
    gsm8k,
    harmbench,
    jailbreakbench,
    messages,
    plain_text,
    prompt_completion,
    prompts,
    recorded,
    sharegpt,
    sorry_bench,
    strongreject,
    xstest,
    xstest_completions,
)

_EVALUATED = (prompts, sorry_bench, xstest, harmbench, strongreject, advbench, jailbreakbench, do_not_answer, gsm8k)
_TRAINED_ON = (prompt_completion, messages, sharegpt, plain_text, alpaca, dolly)
_MODULES = (*_EVALUATED, *_TRAINED_ON, recorded, xstest_completions)
FORMATS = {module.FORMAT.name: module.FORMAT for module in _MODULES}
"""Every format by its name in the manifest; the schema's `format` lists the same."""
