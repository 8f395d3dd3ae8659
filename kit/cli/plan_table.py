"""A plan as a table to read: a line per set of weights and evaluation, then what it comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.run.preflight.forecast import SHARED

if TYPE_CHECKING:
    from kit.run.preflight.forecast import Forecast, Line, Origin

_HEAD = ("arm", "training", "evaluation", "prompts", "seeds", "generation")
_NUMBERS = ("prompts", "seeds")


def render(forecast: Forecast) -> str:
    """Return the table, the totals and the estimate of time, as lines of text."""
    rows = [_HEAD, *map(_row, forecast.lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    table = ["  ".join(map(_padded, row, widths, _HEAD)).rstrip() for row in rows]
    return "\n".join([*table, "", _totals(forecast), _time(forecast)])


def _padded(text: str, width: int, column: str) -> str:
    return text.rjust(width) if column in _NUMBERS else text.ljust(width)


def _row(line: Line) -> tuple[str, ...]:
    generation = [_from(origin) if count == line.seeds else f"{count} {_from(origin)}" for origin, count in _by(line)]
    training = _from(line.training) if line.training else "–"
    return str(line.weights), training, line.evaluation, str(line.prompts), str(line.seeds), ", ".join(generation)


def _by(line: Line) -> list[tuple[Origin, int]]:
    return sorted(line.generation.items(), key=lambda item: (item[0].status, item[0].of))


def _from(origin: Origin) -> str:
    return f"as {origin.of}" if origin.status == SHARED else origin.status


def _totals(forecast: Forecast) -> str:
    to_run = [
        _count(forecast.trainings, "training"),
        _count(forecast.generations, "generation"),
        *([_count(forecast.judgings, "judging")] if forecast.judgings else []),
        _count(forecast.self_tests, "self-test"),
    ]
    return (
        f"{_count(forecast.cells, 'cell')}, {_count(forecast.steps, 'step')}; to run: {', '.join(to_run)}, "
        f"with {_count(forecast.engine_loads, 'engine load')}; done already: {_count(forecast.reused, 'step')}"
    )


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _time(forecast: Forecast) -> str:
    """Return about how long the run will take, as far as its like has been measured."""
    parts = {
        "training": forecast.training_seconds,
        "generation": forecast.generation_seconds,
        "judging": forecast.judging_seconds,
    }
    known = [seconds for seconds in parts.values() if seconds is not None]
    if forecast.reused == forecast.steps:
        return "time: everything is done"
    if not any(known):
        return "time: nothing measured yet"
    said = [f"{name} {'not measured yet' if s is None else _duration(s)}" for name, s in parts.items() if s != 0]
    return f"time: about {_duration(sum(known))} ({', '.join(said)})"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
