"""Agreement: between repeated measurements of the same prompts, and between two judges of the same answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING

from kit.stats.distributions import t_quantile
from kit.stats.intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.core.canonical import Json


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike several runs answered the same prompts."""

    flip_rate: float
    """Probability that two different runs disagree on a prompt, drawn at random."""
    alpha: float | None
    """Krippendorff's; None where all answers were alike, so that chance leaves nothing to agree on."""
    never: float
    """Share of prompts that had the verdict in no run."""
    sometimes: float
    always: float

    def to_json(self) -> dict[str, Json]:
        """Return the numbers by their names."""
        return {
            "flip_rate": self.flip_rate,
            "alpha": self.alpha,
            "never": self.never,
            "sometimes": self.sometimes,
            "always": self.always,
        }


def agreement(runs: Sequence[Sequence[bool]]) -> Agreement:
    """Compare at least two runs over the same prompts.

    alpha = 1 - D_o / D_e for nominal data without gaps: observed disagreement within prompts over that expected from
    all answers pooled (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, section C).
    """
    repeats, prompts = len(runs), len(runs[0])
    hits = [sum(answers) for answers in zip(*runs, strict=True)]
    total, count = sum(hits), repeats * prompts
    observed = Fraction(sum(2 * k * (repeats - k) for k in hits), prompts * repeats * (repeats - 1))
    expected = Fraction(2 * total * (count - total), count * (count - 1))
    never, always = hits.count(0), hits.count(repeats)
    return Agreement(
        flip_rate=float(observed),
        alpha=float(1 - observed / expected) if expected else None,
        never=never / prompts,
        sometimes=(prompts - never - always) / prompts,
        always=always / prompts,
    )


def kappa_interval(clusters: Sequence[Sequence[tuple[str, str]]]) -> Interval | None:
    """Return Cohen's kappa of all pairs with its 95 % interval; each cluster holds the pairs of one prompt.

    The standard error is the jackknife's, one prompt left out at a time (Fleiss and Davies 1982, Am J Epidemiol
    115:841-845), so that a prompt that was answered many times counts once; Student's t on prompts - 1.

    Returns:
        None where both gave one label throughout, in all or in all but one of the prompts.
    """
    tables = [Counter(cluster) for cluster in clusters]
    total: Counter[tuple[str, str]] = Counter()
    for table in tables:
        total.update(table)
    kappa, n = _kappa(total), len(clusters)
    without = {key: _kappa(total - Counter(dict(key))) for key in {_key(table) for table in tables}}
    left_out = [without[_key(table)] for table in tables]
    if kappa is None or n < 2 or None in left_out:
        return None
    values = [value for value in left_out if value is not None]
    mean = sum(values, Fraction(0)) / n
    variance = sum(((value - mean) ** 2 for value in values), Fraction(0)) * (n - 1) / n
    half = t_quantile(0.975, n - 1) * sqrt(float(variance))
    return Interval(float(kappa), max(-1.0, float(kappa) - half), min(1.0, float(kappa) + half))


def cohen_kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Return Cohen's kappa: agreement beyond what the two label distributions give by chance.

    kappa = (p_o - p_e) / (1 - p_e), unweighted (Cohen 1960, "A coefficient of agreement for nominal scales",
    Educational and Psychological Measurement 20(1), equation 1). Between -1 and 1; 0 is chance, 1 is full
    agreement. Computed in integers up to the one division, so the order of the items cannot move it.

    Returns:
        The coefficient, or None where both gave one and the same label throughout: chance leaves nothing to agree on.

    Raises:
        ValueError: the two are empty or of different lengths.
    """
    if not first or len(first) != len(second):
        counts = f"{len(first)} and {len(second)} labels"
        raise ValueError(f"kappa needs two equally long, non-empty sequences, not {counts}")
    kappa = _kappa(Counter(zip(first, second, strict=True)))
    return None if kappa is None else float(kappa)


def _key(table: Counter[tuple[str, str]]) -> tuple[tuple[tuple[str, str], int], ...]:
    return tuple(sorted(table.items()))


def _kappa(table: Counter[tuple[str, str]]) -> Fraction | None:
    """Return kappa exactly, from counts of pairs; None where chance alone gives full agreement."""
    count = table.total()
    first: Counter[str] = Counter()
    second: Counter[str] = Counter()
    for (one, other), times in table.items():
        first[one] += times
        second[other] += times
    agreeing = sum(times for (one, other), times in table.items() if one == other)
    by_chance = sum(times * second[label] for label, times in first.items())
    return Fraction(count * agreeing - by_chance, count**2 - by_chance) if by_chance != count**2 else None
