"""Numbers as a reader sees them: one form each, whatever the locale."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.core.canonical import Json
    from kit.report.result_types import Rate


SPACE = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
NOTHING = "–"
"""Stands where a table has no number."""
SMALLEST_P = 0.001
"""Below this a p-value is only said to be smaller."""


def percent(proportion: float) -> str:
    """Return a proportion in per cent with one decimal."""
    return f"{_decimal(100 * proportion)}{SPACE}%"


def percent_range(low: float, high: float) -> str:
    """Return two proportions as a range in per cent."""
    return f"{_decimal(100 * low)}–{_decimal(100 * high)}{SPACE}%"


def points(proportion: float) -> str:
    """Return a difference of two proportions in signed percentage points with one decimal."""
    number = _decimal(100 * proportion)
    return number if number == "0.0" or number.startswith(MINUS) else f"+{number}"


def unsigned_points(proportion: float) -> str:
    """Return a distance between two proportions in percentage points with one decimal."""
    return _decimal(100 * proportion)


def points_range(rate: Rate) -> str:
    """Return the interval of a difference in percentage points."""
    return f"{points(rate.low)} to {points(rate.high)}"


def p_value(value: float) -> str:
    """Return a p-value to three decimals."""
    return f"<{SPACE}{SMALLEST_P}" if value < SMALLEST_P else f"{value:.3f}"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number and its noun: `1 seed`, `1,200 seeds`."""
    return f"{number:,}{SPACE}{noun if number == 1 else plural or noun + 's'}"


def listed(parts: Sequence[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def plain(value: Json) -> str:
    """Return a JSON scalar, or a list of them, as words."""
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(plain, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {plain(item)}" for key, item in sorted(value.items()))
    return str(value)


def _decimal(number: float) -> str:
    text = f"{number:.1f}"
    return "0.0" if text == "-0.0" else text.replace("-", MINUS)
