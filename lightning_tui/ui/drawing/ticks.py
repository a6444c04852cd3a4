"""Where do the ticks of an axis stand, and what is written beside them? Round numbers and times."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lightning_tui.text.units import short_count


def value_ticks(low: float, high: float, at_most: int, is_log: bool = False) -> list[tuple[float, str]]:
    """Round values between `low` and `high`, with their labels."""
    if is_log:
        return [(tick, tick_labels([tick])[0]) for tick in log_ticks(low, high, at_most)]
    ticks = good_ticks(low, high, at_most)
    return list(zip(ticks, tick_labels(ticks), strict=True))


def good_ticks(low: float, high: float, at_most: int) -> list[float]:
    """Round numbers (1, 2, 2.5 or 5 times a power of ten) between `low` and `high`."""
    if not high > low or at_most < 1 or math.isinf(high - low):
        return []
    rough = (high - low) / at_most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((power * factor for factor in (1, 2, 2.5, 5) if power * factor >= rough), power * 10)
    return _multiples(step, low, high)


def whole_ticks(low: float, high: float, at_most: int) -> list[float]:
    """As `good_ticks`, but whole numbers only: there is no half a step."""
    return [tick for tick in good_ticks(low, high, at_most) if tick == round(tick)]


def log_ticks(low: float, high: float, at_most: int) -> list[float]:
    """Powers of ten between `low` and `high`; where those are few, 2 and 5 times them too; else round numbers."""
    if not high > low > 0 or at_most < 1:
        return []
    bottom, top = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = max(1, math.ceil((top - bottom) / at_most))
    for factors in ((1, 2, 5), (1,)):
        powers = [power for power in range(bottom, top + 1) if power % every == 0]
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        ticks = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        if len(ticks) <= at_most:
            break
    return ticks if len(ticks) >= 2 else good_ticks(low, high, at_most)


_TIME_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 43200, 86400)


def time_ticks(low: float, high: float, at_most: int) -> list[float]:
    """Round times, in seconds, between `low` and `high`: multiples of seconds, minutes, hours or days."""
    if not high > low or at_most < 1:
        return []
    rough = (high - low) / at_most
    if rough < 1:
        return good_ticks(low, high, at_most)
    days = math.ceil(rough / 86400) * 86400
    return _multiples(next((step for step in _TIME_STEPS if step >= rough), days), low, high)


def _multiples(step: float, low: float, high: float) -> list[float]:
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """Labels with as many decimals as tell neighbours apart."""
    if not ticks:
        return []
    largest = max(map(abs, ticks))
    if largest >= 1e4:
        short = [short_count(tick) for tick in ticks]
        return short if len(set(short)) == len(short) else [f"{tick:,.6g}".replace(",", " ") for tick in ticks]
    if 0 < largest < 1e-3:
        return _small_labels(ticks)
    for decimals in range(7):
        labels = [f"{tick:.{decimals}f}" for tick in ticks]
        if all(abs(float(label) - tick) <= 1e-9 * largest for label, tick in zip(labels, ticks, strict=True)):
            return labels
    return [f"{tick:.3g}" for tick in ticks]


def _small_labels(ticks: Sequence[float]) -> list[str]:
    """Numbers such as `2.25e-4`, all of them with as many decimals as the longest needs."""
    labels: list[str] = []
    for decimals in range(4):
        labels = [f"{tick:.{decimals}e}".replace("e-0", "e-") if tick else "0" for tick in ticks]
        if all(abs(float(label) - tick) <= 1e-6 * abs(tick) for label, tick in zip(labels, ticks, strict=True)):
            break
    return labels
