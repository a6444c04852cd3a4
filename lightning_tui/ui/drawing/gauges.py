"""How is an amount drawn in one line: a gauge of segments, one level, a short curve? And who holds a GPU's memory?

Segments differ by glyph as well as by colour. What is not known is never drawn as something that is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from lightning_tui.ui.drawing.rows import Row, Span, merged

if TYPE_CHECKING:
    from lightning_tui.record import GpuSample, RankView

OURS: Span = ("█", "accent")
"""Tensors of this run; on the host, all of this run."""
RESERVED: Span = ("▓", "reserved")
"""Kept by torch's allocator beyond its tensors."""
REST: Span = ("░", "reserved")
"""This run's besides: CUDA context, NCCL; all of this run as long as its ranks have not told more."""
OTHERS: Span = ("▒", "warn")
"""Processes that are not this run's."""
UNKNOWN: Span = ("╌", "dim")
"""In use, and nobody can tell by whom."""
FREE: Span = ("·", "faint")
PEAK: Span = ("│", "text")
"""The most that tensors have taken so far."""

MEANINGS: tuple[tuple[Span, str, str], ...] = (
    (OURS, "allocated", "tensors of this run"),
    (RESERVED, "reserved", "reserved by torch"),
    (REST, "other of run", "CUDA context, NCCL"),
    (OTHERS, "others", "other processes"),
    (UNKNOWN, "not known", "owner unknown"),
    (FREE, "free", ""),
    (PEAK, "peak", "peak of tensors"),
)
"""Each glyph of a GPU's gauge, in a word and in a few."""


_THIN = str.maketrans({OURS[0]: "━", RESERVED[0]: "╍", REST[0]: "┅", OTHERS[0]: "▒"})


class MemoryParts(msgspec.Struct, frozen=True):
    """A GPU's memory by holder, in bytes; the six parts add up to `total` where `used` and `total` are known."""

    total: int | None
    used: int | None
    """What the driver calls used; `None` where it does not tell."""
    allocated: int = 0
    cached: int = 0
    """Reserved by torch's allocator and not allocated."""
    rest: int = 0
    others: int = 0
    unknown: int = 0
    free: int | None = None
    peak: int | None = None
    """Of `allocated`. Not told where several ranks share the GPU: their peaks need not fall together."""

    @property
    def segments(self) -> list[tuple[Span, float]]:
        """The parts that are in use, from the left."""
        amounts = (self.allocated, self.cached, self.rest, self.others, self.unknown)
        return list(zip((OURS, RESERVED, REST, OTHERS, UNKNOWN), amounts, strict=True))

    @property
    def share(self) -> float | None:
        """Used of total, 0 to 1."""
        return self.used / self.total if self.used is not None and self.total else None


def memory_parts(gpu: GpuSample, ranks: Sequence[RankView], *, has_run: bool = True) -> MemoryParts:
    """Who holds what.

    The driver says what is used, torch's allocator what it has reserved and how much of that is allocated, and the
    driver's list of processes what this run's processes take in all. These are read at slightly different moments:
    each part is cut to what is left of `used`, in this order. Where ranks hold memory here and none of the listed
    processes is known as ours (the driver lists them by other numbers in a container), the list tells nothing.

    Args:
        gpu: One reading.
        ranks: The ranks that told that they use this GPU.
        has_run: Whether a run is going on: then a process of which nobody can tell whose it is may be the run's.
    """
    total = gpu.memory_total or max((rank.device_total or 0 for rank in ranks), default=0) or None
    allocated = sum(rank.allocated or 0 for rank in ranks)
    reserved = max(allocated, sum(rank.reserved or 0 for rank in ranks))
    peak = ranks[0].peak_allocated if len(ranks) == 1 else None
    if gpu.memory_used is None:
        return MemoryParts(total, None, allocated, reserved - allocated, peak=peak)
    used = max(0, gpu.memory_used if total is None else min(gpu.memory_used, total))
    ours, others = _by_processes(gpu, has_ranks=reserved > 0, has_run=has_run)
    wanted = (allocated, reserved - allocated, max(0, ours - reserved), others)
    parts: list[int] = []
    for amount in wanted:
        parts.append(min(max(0, amount), used - sum(parts)))
    allocated, cached, rest, others = parts
    free = None if total is None else total - used
    return MemoryParts(total, used, allocated, cached, rest, others, used - sum(parts), free, peak)


def _by_processes(gpu: GpuSample, *, has_ranks: bool, has_run: bool) -> tuple[int, int]:
    """Bytes of this run's processes and of all others, 0 where that is not told."""
    processes = gpu.processes or ()
    ours = [process.memory for process in processes if process.ours]
    if has_ranks and not ours:
        return 0, 0
    theirs = (False,) if has_run else (False, None)
    others = sum(process.memory or 0 for process in processes if process.ours in theirs)
    return sum(memory or 0 for memory in ours), others


def gauge(parts: Sequence[tuple[Span, float]], total: float | None, width: int, peak: float | None = None) -> Row:
    """A bar of segments, exactly `width` cells; what is left is free. A peak is marked behind what it has outgrown."""
    if not total or width < 1:
        return (("N/A".center(width)[: max(0, width)], "dim"),)
    cells: list[Span] = []
    summed = 0.0
    for span, amount in parts:
        summed += amount
        until = min(width, round(summed / total * width))
        cells += [span] * (until - len(cells))
    cells += [FREE] * (width - len(cells))
    if peak:
        first = next((place for place, span in enumerate(cells) if span != OURS), width - 1)
        cells[min(width - 1, max(first, math.ceil(peak / total * width) - 1))] = PEAK
    return merged(cells)


def thin(row: Row) -> Row:
    """The gauge in strokes: where many stand under each other, blocks would run together."""
    return tuple((text.translate(_THIN), token) for text, token in row)


_LEVELS = "▁▂▃▄▅▆▇█"


def level(share: float | None) -> str:
    """A share of 0 to 1 in one cell."""
    if share is None:
        return "╌"
    return _LEVELS[min(len(_LEVELS) - 1, max(0, int(share * len(_LEVELS))))]


def spark(values: Sequence[float | None], top: float, width: int, each: int = 1) -> str:
    """The last values as levels of `top`, the mean of `each` in a cell; a gap where nothing is known."""
    means = []
    for end in range(len(values), max(0, len(values) - width * each), -each):
        known = [value for value in values[max(0, end - each) : end] if value is not None]
        means.append(sum(known) / len(known) if known else None)
    return "".join(" " if mean is None else level(mean / top) for mean in reversed(means)).rjust(width)


def legend(parts: Sequence[tuple[str, Span]]) -> list[Row]:
    """What the glyphs of a gauge mean, a part each."""
    return [(span, (f" {word}", "dim")) for word, span in parts]
