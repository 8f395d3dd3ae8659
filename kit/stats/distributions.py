"""Quantiles and tails of Student's t, chi-square, F and the normal, the same bits on every machine.

A C library's own functions differ in the last place. mpmath computes with integers alone, here to 30 digits, and each
result is rounded once to a double.
"""

from __future__ import annotations

from functools import cache, partial
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    _Number = Any
    """mpmath has no types."""
    _Function = Callable[[_Number], _Number]

_DIGITS = 30
_NEAR, _ENOUGH = 1e-9, 1e-20
"""Relative size of a last step: near enough to go on with more digits, and after which a double no longer moves."""


@cache
def _context() -> _Number:
    """Return a context of the kit's own: another library's precision must not reach a result, nor ours reach it."""
    from mpmath import MPContext

    context = MPContext()
    context.dps = _DIGITS
    return context


@cache
def logit(hits: int, count: int) -> float:
    """Return the logarithm of the odds, with half a hit and half a miss more (Anscombe 1956): none and all have one."""
    context = _context()
    return float(context.log((context.mpf(hits) + 0.5) / (context.mpf(count - hits) + 0.5)))


@cache
def logistic_normal_sd(mean: float, sd: float) -> float:
    """Return the standard deviation of a share whose logit is normal; it cannot exceed one half.

    The mean over the middles of 100 slices of the normal distribution of equal probability.
    """
    context = _context()
    slices = [sign * normal_exceeded((number + 0.5) / 100) for number in range(50) for sign in (-1, 1)]
    # Slices have a little less spread than the whole.
    wider = context.sqrt(len(slices) / context.fsum(one * context.mpf(one) for one in slices))
    shares = [1 / (1 + context.exp(-(mean + sd * wider * one))) for one in slices]
    middle = context.fsum(shares) / len(shares)
    return float(context.sqrt(context.fsum((share - middle) ** 2 for share in shares) / len(shares)))


@cache
def t_tail(statistic: float, degrees: float) -> float:
    """Return the probability that Student's t exceeds a statistic; `degrees` may be any positive number.

    Abramowitz and Stegun (1964), 26.5.27.
    """
    context = _context()
    t, n = context.mpf(statistic), context.mpf(degrees)
    half = _beta(context, n / 2, context.mpf(1) / 2, n / (n + t * t)) / 2
    return float(half if t >= 0 else 1 - half)


@cache
def t_quantile(probability: float, degrees: float) -> float:
    """Return the quantile of Student's t for a probability above one half."""
    return _t_exceeded(1 - _context().mpf(probability), degrees)


@cache
def t_exceeded(tail: float, degrees: float) -> float:
    """Return what Student's t exceeds with a probability below one half, however small."""
    return _t_exceeded(_context().mpf(tail), degrees)


def _t_exceeded(tail: _Number, degrees: float) -> float:
    context = _context()
    n = context.mpf(degrees)
    x = _beta_quantile(n / 2, context.mpf(1) / 2, 2 * tail)
    return float(context.sqrt(n * (1 - x) / x))


@cache
def normal_tail(statistic: float) -> float:
    """Return the probability that a standard normal exceeds a statistic."""
    context = _context()
    return float(context.erfc(context.mpf(statistic) / context.sqrt(2)) / 2)


@cache
def normal_exceeded(tail: float) -> float:
    """Return what a standard normal exceeds with a probability below one half, however small."""
    context = _context()
    target = context.log(context.mpf(tail))
    x = context.sqrt(max(-2 * target - context.log(-2 * target + 1), 0))
    while True:  # Newton's steps on the logarithm of the tail, which is concave: they do not overshoot twice
        below = context.erfc(x / context.sqrt(2)) / 2
        density = context.exp(-x * x / 2) / context.sqrt(2 * context.pi)
        step = (context.log(below) - target) * below / density
        x += step
        if abs(step) <= _ENOUGH * abs(x):
            return float(x)


@cache
def f_quantile(probability: float, numerator: float, denominator: float) -> float:
    """Return the quantile of F with degrees of freedom of the numerator and the denominator."""
    context = _context()
    m, n = context.mpf(numerator), context.mpf(denominator)
    x = _beta_quantile(m / 2, n / 2, context.mpf(probability))
    return float(n * x / (m * (1 - x)))


@cache
def chi_square_quantile(probability: float, degrees: float) -> float:
    """Return the chi-square quantile (the regularized incomplete gamma function, inverted)."""
    context = _context()
    half = context.mpf(degrees) / 2

    def density(x: _Number) -> _Number:
        return context.exp((half - 1) * context.log(x) - x - context.loggamma(half))

    # Ten standard deviations and a long tail for few degrees: no quantile that is asked for lies further out.
    highest = half + 10 * context.sqrt(half) + 25

    def below(x: _Number) -> _Number:
        return context.gammainc(half, 0, x, regularized=True)

    return float(2 * _root(below, density, context.mpf(probability), half, highest, _ENOUGH))


def _beta_quantile(a: _Number, b: _Number, probability: _Number) -> _Number:
    """Return the quantile of the beta distribution: found among doubles, where steps are cheap, then to all digits."""
    from mpmath import fp

    found = a / (a + b)
    for context, enough in ((fp, _NEAR), (_context(), _ENOUGH)):
        found = _root(
            partial(_beta, context, context.convert(a), context.convert(b)),
            partial(_beta_density, context, context.convert(a), context.convert(b)),
            context.convert(probability),
            context.convert(found),
            context.one,
            enough,
        )
    return found


def _beta_density(context: _Number, a: _Number, b: _Number, x: _Number) -> _Number:
    return context.exp(_log_scale(context, a, b) + (a - 1) * context.log(x) + (b - 1) * context.log(1 - x))


@cache
def _log_scale(context: _Number, a: _Number, b: _Number) -> _Number:
    """Return the logarithm of 1 / B(a, b)."""
    return context.loggamma(a + b) - context.loggamma(a) - context.loggamma(b)


def _beta(context: _Number, a: _Number, b: _Number, x: _Number) -> _Number:
    """Return the regularized incomplete beta function I_x(a, b).

    The continued fraction of DLMF 8.17.22, summed from the front as Lentz (1976) does; mpmath's own series lose all
    digits where both parameters are large.
    """
    if x <= 0 or x >= 1:
        return x
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(context, b, a, 1 - x)
    front = context.exp(_log_scale(context, a, b) + a * context.log(x) + b * context.log(1 - x))
    # 1 + d1/(1 + d2/(1 + ...)), with upper and lower the ratios of successive numerators and denominators.
    fraction, upper, lower = context.one, context.one, context.zero
    for step in count(1):
        m, odd = divmod(step, 2)
        if odd:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        upper, lower = 1 + term / upper, 1 / (1 + term * lower)
        fraction *= upper * lower
        if abs(upper * lower - 1) < context.eps:
            break
    return front / (a * fraction)


def _root(
    rising: _Function,
    slope: _Function,
    target: _Number,
    start: _Number,
    highest: _Number,
    enough: float,
) -> _Number:
    """Return where a rising function of 0 to `highest` reaches a target: Newton's steps, halving where they leave."""
    low, high, x = 0 * highest, highest, start
    while True:
        missed = rising(x) - target
        low, high = (x, high) if missed < 0 else (low, x)
        following = x - missed / slope(x)
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - x) <= enough * x:
            return following
        x = following
