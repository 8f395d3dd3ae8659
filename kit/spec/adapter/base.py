"""Whether an adapter was trained on the model that the manifest puts under it, as far as names tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kit.core.digests import json_digest

if TYPE_CHECKING:
    from kit.spec.adapter.config import AdapterConfig
    from kit.spec.manifest.parts import Source

_REPO = re.compile(r"[\w-][\w.-]*/[\w.-]+")
_QUANTIZED = re.compile(r"(-unsloth)?-(bnb-)?(4bit|8bit|int4|int8|gptq|awq)(-.*)?$", re.IGNORECASE)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DIGEST = "xxh3_128:"


def other_base(config: AdapterConfig, model: Source) -> str | None:
    """Return how an adapter's config and the manifest differ in the base that they name, or nothing."""
    named = config.base
    if named is None:
        return None
    if named.startswith(_DIGEST):  # an adapter of the kit's own says by content what it was trained on
        if named == json_digest(dict(model.files)):
            return None
        return f"it was trained on a model with other files than {model.origin}"
    return _other_name(named, config.revision, model)


def _other_name(named: str, revision: str | None, model: Source) -> str | None:
    mine, theirs = _last(named), _last(model.origin)
    if mine != theirs and _QUANTIZED.sub("", mine) == theirs:
        return f"it was trained on {named}, a quantized form of the model, whose numbers differ from the model's own"
    is_elsewhere = model.repo is not None and _REPO.fullmatch(named) and named.lower() != model.origin.lower()
    if mine != theirs or is_elsewhere:
        return f"it was trained on {named}, and the manifest's model is {model.origin}"
    if revision and model.revision and _COMMIT.fullmatch(revision) and revision != model.revision:
        return f"it was trained on {named} at {revision}, and the manifest's model is {model.name}"
    return None


def _last(name: str) -> str:
    return name.rstrip("/\\").replace("\\", "/").rpartition("/")[2].lower()
