"""Pictures as geometry: marks that the template writes out as SVG, so that one escaping guards text and pictures alike.

Horizontal positions are percentages and vertical ones pixels: a figure is as wide as its place, and its letters keep
their size on a telephone and on paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from kit.report.wording import percent, points, points_range

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kit.report.result_types import Rate

LANE, HEADING, GAP, AXIS = 18, 26, 10, 26
"""Heights in pixels: one arm or source; its name; the room below; the axis."""
ROW = 12
"""Height in pixels of one run in the map of prompts."""
STRIP = 18
"""Height in pixels of a picture in a table's row."""
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Mark:
    """One SVG element: its name, its attributes in order, and its text."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture, with the words for those who do not see it."""

    title: str
    description: str
    height: int
    marks: Sequence[Mark]


@dataclass(frozen=True, slots=True)
class Group:
    """One arm in the figure of rates: its runs, and their mean with its interval."""

    name: str
    summary: str
    is_base: bool
    runs: Sequence[float]
    mean: Rate


@dataclass(frozen=True, slots=True)
class Bar:
    """One source in the figure of variances."""

    name: str
    summary: str
    rate: Rate


@dataclass(frozen=True, slots=True)
class Scale:
    """Where numbers lie: `start` at `left` per cent of the picture's width, `end` at `right`."""

    left: float
    right: float
    start: float = 0.0
    end: float = 1.0

    def at(self, number: float) -> str:
        """Return the horizontal position of a number."""
        share = (number - self.start) / (self.end - self.start)
        return f"{self.left + share * (self.right - self.left):.2f}%"

    def dot(self, name: str, number: float, y: float, radius: float = 4.5) -> Mark:
        """Return a circle of the class `name`."""
        return Mark("circle", {"class": f"dot {name}", "cx": self.at(number), "cy": f"{y:g}", "r": f"{radius:g}"})

    def across(self, name: str, ends: tuple[float, float], y: float) -> Mark:
        """Return a horizontal line of the class `name`."""
        x1, x2 = map(self.at, ends)
        return Mark("line", {"class": name, "x1": x1, "x2": x2, "y1": f"{y:g}", "y2": f"{y:g}"})

    def upright(self, name: str, number: float, top: float, bottom: float) -> Mark:
        """Return a vertical line of the class `name`."""
        x = self.at(number)
        return Mark("line", {"class": name, "x1": x, "x2": x, "y1": f"{top:g}", "y2": f"{bottom:g}"})

    def bar(self, name: str, ends: tuple[float, float], top: float, height: float) -> Mark:
        """Return a rectangle of the class `name`."""
        left, right = ends
        width = (right - left) / (self.end - self.start) * (self.right - self.left)
        place = {"x": self.at(left), "y": f"{top:g}", "width": f"{width:.2f}%", "height": f"{height:g}"}
        return Mark("rect", {"class": name, **place})


_RATES = Scale(2, 98)
_PROMPTS = Scale(20, 100)
_STRIP = Scale(4, 96)
_DIFFERENCE = Scale(4, 96, start=-1.0)


def rates_figure(title: str, groups: Sequence[Group]) -> Figure:
    """Draw each arm's mean with its interval, over a band from its smallest to its largest run and a tick for each."""
    height = HEADING + LANE + GAP
    bottom = height * len(groups)
    marks = _grid(_RATES, [(tick, f"{100 * tick:.0f}\N{NO-BREAK SPACE}%") for tick in TICKS], bottom)
    for number, group in enumerate(groups):
        marks += _group(group, height * number)
    description = " ".join(f"{group.name}: {group.summary}." for group in groups)
    return Figure(title, description, bottom + AXIS, marks)


def bars_figure(title: str, bars: Sequence[Bar]) -> Figure:
    """Draw standard deviations in percentage points as bars from zero, each with its interval."""
    height = HEADING + LANE + GAP
    bottom = height * len(bars)
    # The widest limits can be absurd with two seeds: the axis follows the estimates and cuts them.
    end = min(1.0, max([0.02, *(3 * bar.rate.estimate for bar in bars)]))
    scale = Scale(2, 98, end=end)
    ticks = [end * share for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    marks = _grid(scale, [(tick, f"{100 * tick:.1f}") for tick in ticks], bottom)
    for number, bar in enumerate(bars):
        top = height * number
        middle = top + HEADING + LANE / 2
        marks += _heading(bar.name, bar.summary, top)
        marks.append(scale.bar("band", (0.0, bar.rate.estimate), top + HEADING, LANE))
        marks.append(scale.across("interval", (min(end, bar.rate.low), min(end, bar.rate.high)), middle))
        marks.append(scale.dot("tuned", bar.rate.estimate, middle))
    description = " ".join(f"{bar.name}: {bar.summary}." for bar in bars)
    return Figure(title, description, bottom + AXIS, marks)


def prompts_figure(title: str, description: str, runs: Sequence[tuple[str, Sequence[bool]]]) -> Figure:
    """Draw prompts from left to right and runs from top to bottom, filled where a prompt had the verdict."""
    count = len(runs[0][1])
    order = sorted(range(count), key=lambda number: (-sum(hits[number] for _, hits in runs), number))
    marks = []
    for place, (name, hits) in enumerate(runs):
        top = place * ROW
        marks.append(Mark("text", {"class": "lane", "x": "0", "y": str(top + ROW - 2)}, name))
        marks.append(_PROMPTS.bar("frame", (0, 1), top + 1, ROW - 2))
        for start, stop in _stretches([hits[number] for number in order]):
            marks.append(_PROMPTS.bar("hit", (start / count, stop / count), top + 1, ROW - 2))
    return Figure(title, description, len(runs) * ROW, marks)


def _stretches(hits: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Yield from where to where consecutive prompts had the verdict: one mark each instead of one a prompt."""
    place = 0
    for hit, group in groupby(hits):
        length = len(list(group))
        if hit:
            yield place, place + length
        place += length


def _grid(scale: Scale, ticks: Sequence[tuple[float, str]], bottom: int) -> list[Mark]:
    marks = [scale.upright("grid", tick, 0, bottom) for tick, _ in ticks]
    places = [{"class": "tick", "x": scale.at(tick), "y": str(bottom + 18)} for tick, _ in ticks]
    return marks + [Mark("text", place, label) for place, (_, label) in zip(places, ticks, strict=True)]


def _heading(name: str, summary: str, top: int) -> list[Mark]:
    return [
        Mark("text", {"class": "arm", "x": "0", "y": str(top + 17)}, name),
        Mark("text", {"class": "summary", "x": "100%", "y": str(top + 17)}, summary),
    ]


def change_strip(before: float, after: float, spread: tuple[float, float]) -> Figure:
    """Draw two rates: a ring before, a dot after, a line from one to the other and one over the repeats after."""
    middle = STRIP / 2
    marks = [_STRIP.upright("grid", tick, 0, STRIP) for tick in TICKS]
    marks += [_STRIP.across("join", (before, after), middle), _STRIP.across("interval", spread, middle)]
    # The ring is wider than the dot, so that both are seen where nothing changed.
    marks += [_STRIP.dot("tuned", after, middle, 4), _STRIP.dot("ring", before, middle, 6.5)]
    return Figure("", f"from {percent(before)} to {percent(after)}", STRIP, marks)


def difference_strip(difference: Rate) -> Figure:
    """Draw a difference of two rates with its interval, from -100 to +100 points."""
    middle = STRIP / 2
    marks = [
        _DIFFERENCE.upright("zero" if tick == 0 else "grid", tick, 0, STRIP) for tick in (-1.0, -0.5, 0.0, 0.5, 1.0)
    ]
    marks.append(_DIFFERENCE.across("interval", (difference.low, difference.high), middle))
    marks.append(_DIFFERENCE.dot("tuned", difference.estimate, middle))
    return Figure("", f"{points(difference.estimate)} points, {points_range(difference)}", STRIP, marks)


def _group(group: Group, top: int) -> list[Mark]:
    first = top + HEADING
    middle = first + LANE / 2
    marks = _heading(group.name, group.summary, top)
    if len(group.runs) > 1:
        marks.append(_RATES.bar("band", (min(group.runs), max(group.runs)), first, LANE))
        marks += [_RATES.upright("run", rate, first, first + LANE) for rate in sorted(set(group.runs))]
    marks.append(_RATES.across("interval", (group.mean.low, group.mean.high), middle))
    marks.append(_RATES.dot("base" if group.is_base else "tuned", group.mean.estimate, middle))
    return marks
