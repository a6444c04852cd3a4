"""Does memory grow step by step? Told from samples of a run, or from what a program prints of its own memory."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

from lightning_tui.diagnosis.text import OutputLine

FACTOR = 1.5
"""Memory counts as growing when it rose over nearly the whole run, by this factor after the first quarter."""
FEWEST_SAMPLES = 64
FEWEST_LINES = 8

_PRINTED = re.compile(
    r"\b(?:rss|memory|mem|ram|allocated)\b[^\d\n]{0,24}(\d{1,9}(?:\.\d{1,6})?) ?(K|M|G|T)i?B?\b", re.IGNORECASE
)
MEMORY_WORDS = ("rss", "mem", "ram", "allocated")
"""One of these stands in every line that `printed_growth` reads."""
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}


def steady_growth(points: Sequence[int], fewest: int = FEWEST_SAMPLES) -> tuple[int, int] | None:
    """First and last value, in bytes, of a curve that rises over nearly all of a run; `None` where it levels off."""
    if len(points) < fewest:
        return None
    parts = min(16, len(points))
    size = len(points) // parts
    means = [sum(points[at * size : (at + 1) * size]) / size for at in range(parts)][parts // 4 :]
    rises = sum(later > earlier * 1.01 for earlier, later in itertools.pairwise(means))
    if rises < 0.9 * (len(means) - 1) or means[-1] < FACTOR * means[0]:
        return None
    return int(means[0]), int(means[-1])


def printed_growth(lines: Iterable[OutputLine]) -> tuple[OutputLine, int, int] | None:
    """The last line of a steady growth that the program itself printed ("rss 5.1 GB"), and its ends in bytes."""
    found: list[tuple[OutputLine, int]] = []
    for line in lines:
        lower = line.text.lower()
        if any(word in lower for word in MEMORY_WORDS) and (match := _PRINTED.search(line.text)):
            found.append((line, int(float(match[1]) * 1024 ** _POWERS[match[2].upper()])))
    grown = steady_growth([value for _, value in found], FEWEST_LINES)
    return None if grown is None else (found[-1][0], *grown)
