"""Exponential smoothing of daily costs (§8.3: ``method: exponential_smoothing``).

Simple smoothing follows a level, Holt's a level and a trend, both with additive errors and no damping.
The weights are those of a grid that minimise the squared one-step error on the data; the start values
are the least-squares ones for these weights (the recursion is linear in them). From three weeks on,
both are also tried on the series divided by its weekday factors. The candidate with the lowest AICc is
taken (Hyndman et al., Forecasting with Exponential Smoothing, 2008, sections 2.5, 5.1, 6.2, 7.2).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import inf, log, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    Vector = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

ALPHAS = tuple(step / 20 for step in range(1, 21))
"""Weights of the newest day, 0.05 to 1 (ours)."""

BETAS = (0.01, 0.05, 0.1, 0.2, 0.3)
"""Weights of the newest trend in the error-correction form; combinations above alpha are left out (ours)."""

MINIMUM_DAYS = 7
"""Fewer days give no forecast by smoothing: less than a week says nothing about a week (ours)."""

WEEKDAY_DAYS = 21
"""Days from which weekdays are told apart: every weekday has been seen three times (ours)."""

EVEN = (1.0,) * 7


@dataclass(frozen=True, slots=True)
class Smoothing:
    """A fitted series: last level and trend (USD a day), weights, one-step errors, parameters used.

    ``factors`` are the cost of each weekday (Monday first) over the level; ``residuals`` are the errors
    of the series divided by them.
    """

    level: float
    trend: float
    alpha: float
    beta: float
    residuals: "Vector"
    parameters: int
    factors: tuple[float, ...] = EVEN

    @property
    def name(self) -> str:
        """simple or holt, with ``+weekdays`` where weekdays differ."""
        name = "holt" if self.beta > 0 else "simple"
        return name if self.factors is EVEN else f"{name}+weekdays"

    def sum_ahead(self, days: Sequence[date]) -> float:
        """Return the expected sum of these days, the first the one after the data."""
        return sum(
            (self.level + self.trend * step) * self.factors[day.weekday()] for step, day in enumerate(days, start=1)
        )

    def weights_ahead(self, days: Sequence[date]) -> "Vector":
        """Return by how much each day's error moves the sum of these days, in order.

        An error on day j moves day j by 1 and every later day i by alpha + beta (i - j), each times the
        day's factor.
        """
        import numpy as np

        factors = np.array([self.factors[day.weekday()] for day in days])
        later = np.array(
            [
                sum(factors[i] * (self.alpha + self.beta * (i - j)) for i in range(j + 1, len(days)))
                for j in range(len(days))
            ]
        )
        weights: Vector = factors + later
        return weights


def smooth(values: "Vector", days: Sequence[date]) -> Smoothing:
    """Fit a series of daily costs in USD (at least 2 values) of these days."""
    return min(_candidates(values, days), key=lambda candidate: _score(values, days, candidate))


def _candidates(values: "Vector", days: Sequence[date]) -> Iterator[Smoothing]:
    import numpy as np

    for beta in (0.0, *BETAS):
        yield _fit(values, beta)
    factors = _weekday_factors(values, days)
    if factors is not None:
        even = values / np.array([factors[day.weekday()] for day in days])
        for beta in (0.0, *BETAS):
            fitted = _fit(even, beta)
            yield replace(fitted, factors=factors, parameters=fitted.parameters + len(EVEN) - 1)


def _fit(values: "Vector", beta: float) -> Smoothing:
    """Return the fit with the smallest squared one-step error over ALPHAS; beta 0 has no trend."""
    import numpy as np

    alphas = np.array([alpha for alpha in ALPHAS if alpha >= beta])
    starts = 2 if beta > 0 else 1
    # Lane 0 runs on the data from a state of zero, lane k on zeros from the k-th unit state: the start
    # values enter every error linearly.
    level = np.zeros((1 + starts, len(alphas)))
    trend = np.zeros_like(level)
    level[1] = 1.0
    trend[2:] = 1.0
    errors = np.empty((len(values), 1 + starts, len(alphas)))
    for day, value in enumerate(values):
        expected = level + trend
        error = -expected
        error[0] += value
        errors[day] = error
        level = expected + alphas * error
        trend = trend + beta * error
    best, best_sse = None, inf
    for lane in range(len(alphas)):
        basis = -errors[:, 1:, lane]
        start, *_ = np.linalg.lstsq(basis, errors[:, 0, lane], rcond=None)
        residuals = errors[:, 0, lane] - basis @ start
        sse = float(residuals @ residuals)
        if sse < best_sse:
            best_sse = sse
            weights = np.concatenate(([1.0], start))
            best = Smoothing(
                level=float(weights @ level[:, lane]),
                trend=float(weights @ trend[:, lane]),
                alpha=float(alphas[lane]),
                beta=beta,
                residuals=residuals,
                parameters=2 * starts,
            )
    assert best is not None, "the grid has a weight"  # noqa: S101
    return best


def _weekday_factors(values: "Vector", days: Sequence[date]) -> tuple[float, ...] | None:
    """Return each weekday's mean ratio to the week around it, None with too few or idle days."""
    import numpy as np

    if len(values) < WEEKDAY_DAYS:
        return None
    around = np.convolve(values, np.full(7, 1 / 7), mode="valid")
    if around.min() <= 0:
        return None
    ratios: dict[int, list[float]] = {}
    for day, ratio in zip(days[3:-3], values[3:-3] / around, strict=True):
        ratios.setdefault(day.weekday(), []).append(float(ratio))
    means = [sum(ratios[weekday]) / len(ratios[weekday]) if weekday in ratios else 0.0 for weekday in range(7)]
    if min(means) <= 0:
        return None
    return tuple(mean * 7 / sum(means) for mean in means)


def _score(values: "Vector", days: Sequence[date], fitted: Smoothing) -> float:
    """Return the corrected Akaike criterion of a fit; the error's variance counts as a parameter."""
    import numpy as np

    count, used = len(values), fitted.parameters + 1
    if count <= used + 1:
        return inf
    errors = fitted.residuals * np.array([fitted.factors[day.weekday()] for day in days])
    # A constant series has no error: under this floor the model with fewer parameters wins.
    mean_square = max(float(errors @ errors) / count, 1e-18 * (1.0 + float(values @ values)))
    return count * log(mean_square) + 2 * used * count / (count - used - 1)


def student_quantile(probability: float, freedom: int) -> float:
    """Return the quantile of Student's t, from the normal one (Abramowitz and Stegun, 26.7.5).

    For 4 degrees of freedom the error is below 1 % up to 0.975; a week of days leaves 5 and 3.
    """
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return float(z + sum(term / freedom ** (index + 1) for index, term in enumerate(terms)))


def spread_ahead(fits: Sequence[Smoothing], days: Sequence[date]) -> tuple[float, int]:
    """Return the standard deviation of the sum of several series over these days, and its freedom.

    The series' errors of one day move together (their covariance is taken from the residuals), errors
    of different days do not.
    """
    import numpy as np

    if not fits or not days:
        return 0.0, 1
    residuals = np.column_stack([fit.residuals for fit in fits])
    freedom = max(1, len(residuals) - max(fit.parameters for fit in fits))
    covariance = residuals.T @ residuals / freedom
    weights = np.column_stack([fit.weights_ahead(days) for fit in fits])
    variance = float(np.einsum("di,ij,dj->", weights, covariance, weights))
    return sqrt(max(0.0, variance)), freedom
