"""Which modules an adapter's config means, as PEFT reads it (its `check_target_module_exists`).

Expressions are left to PEFT, in the worker: one of a stranger's can take for ever.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.spec.adapter.config import AdapterConfig

_LAYER = re.compile(r"\.[^.]*\.(?P<index>\d+)\.")
_PLAIN = re.compile(r"\w+")


def is_decidable(config: AdapterConfig) -> bool:
    """Tell whether the config names its modules without expressions."""
    patterns = config.fields.get("layers_pattern") or []
    patterns = patterns if isinstance(patterns, list) else [patterns]
    plain = all(isinstance(one, str) and _PLAIN.fullmatch(one) for one in patterns)
    return config.targets is not None and plain and not isinstance(config.fields.get("exclude_modules"), str)


def is_meant(module: str, config: AdapterConfig) -> bool:
    """Tell whether a decidable config means a module of the base."""
    excluded = config.fields.get("exclude_modules")
    if isinstance(excluded, list) and any(_is_end(str(name), module) for name in excluded):
        return False
    if any(f".{name}." in f".{module}." for name in config.saved):
        return False
    targets = config.targets or ()
    return module in targets or (any(_is_end(name, module) for name in targets) and _is_in_layers(module, config))


def _is_end(name: str, module: str) -> bool:
    return module == name or module.endswith(f".{name}")


def _is_in_layers(module: str, config: AdapterConfig) -> bool:
    chosen = config.fields.get("layers_to_transform")
    layers = chosen if isinstance(chosen, list) else [chosen]
    if chosen is None or not layers:
        return True
    patterns = config.fields.get("layers_pattern") or []
    for pattern in patterns if isinstance(patterns, list) else [patterns]:
        if found := re.match(rf"(?:^|.*?\.){pattern}\.(?P<index>\d+)\.", module):
            return int(found["index"]) in layers
    found = None if patterns else _LAYER.search(module)
    return found is not None and int(found["index"]) in layers
