"""When was which byte of a rank's output there? From the sizes that the supervisor samples once a second."""

from __future__ import annotations

import heapq
import re
import time
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from lightning_tui.record.directory import RunDirectory
    from lightning_tui.record.tail import LineTail

MOST_STEPS = 1 << 16
"""Of each rank; beyond it every second one is forgotten: memory is flat, and the times of a long run are coarser."""


_RANK = re.compile(r"[0-9]{1,9}")


class Tick(NamedTuple):
    """At `time` the output of `rank` had grown to `size` bytes."""

    time: float
    rank: int
    size: int


class _Sample(msgspec.Struct, frozen=True):
    event: str = ""
    time: float = 0.0
    output_bytes: dict[str, int] = {}


class OutputTimes:
    """The index from time to offset, of every rank. One thread polls it; another may ask at any time."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._tail: LineTail | None = None
        self._decoder = msgspec.json.Decoder(_Sample)
        self._steps: Mapping[int, _Steps] = {}

    def poll(self) -> bool:
        """Read what is new; false when that was nothing."""
        if self._tail is None:
            # Clocks of two hosts are never compared, so the times are those of one supervisor.
            logs = sorted(self._directory.supervisor.glob("*.jsonl"), key=lambda path: (len(path.name), path.name))
            if not logs:
                return False
            from lightning_tui.record.tail import LineTail  # not for the cockpit's first frame

            self._tail = LineTail(logs[0])
        lines = self._tail.poll()
        for line in lines:
            if b'"output_bytes"' in line:
                self._add_line(line)
        return bool(lines)

    def offset_at(self, rank: int, moment: float) -> int:
        """Bytes of this rank's output that were there at a time (UTC epoch seconds), as far as it was sampled."""
        steps = self._steps.get(rank)
        return steps.offset_at(moment) if steps is not None else 0

    def time_at(self, rank: int, offset: int) -> float | None:
        """When the byte at `offset` was first seen, within a second; `None` where no sample has it yet."""
        steps = self._steps.get(rank)
        return steps.time_at(offset) if steps is not None else None

    def ticks(self, after: float = float("-inf")) -> Iterator[Tick]:
        """All growth after a time, oldest first; at the same time, lower ranks first."""
        return heapq.merge(*(steps.ticks(rank, after) for rank, steps in sorted(self._steps.items())))

    def _add_line(self, line: bytes) -> None:
        try:
            sample = self._decoder.decode(line)
        except msgspec.DecodeError:
            return
        for name, size in sample.output_bytes.items():
            if _RANK.fullmatch(name) and 0 <= size < 1 << 63:
                self._of_rank(int(name)).add(sample.time, size)

    def _of_rank(self, rank: int) -> _Steps:
        if rank not in self._steps:
            self._steps = {**self._steps, rank: _Steps()}  # replaced whole: another thread may be reading it
        return self._steps[rank]


class _Steps:
    """Growth of one file: times never go back, sizes always grow."""

    def __init__(self) -> None:
        self.known: tuple[array[float], array[int]] = (array("d"), array("Q"))
        self._gap = 0.0
        """Seconds between steps that are kept: of a long run less is known of each minute."""

    def add(self, moment: float, size: int) -> None:
        times, sizes = self.known
        if sizes and size < sizes[-1]:  # a new attempt writes a new file
            self.known = times, sizes = array("d"), array("Q")
        if size == (sizes[-1] if sizes else 0):
            return
        if len(times) >= MOST_STEPS:
            self._gap = 2 * (times[-1] - times[0]) / len(times)
            self.known = times, sizes = times[1::2], sizes[1::2]
        moment = max(moment, times[-1] if times else moment)
        if len(times) > 1 and moment - times[-2] < self._gap:
            self.known = times, sizes = times[:-1], sizes[:-1]
        sizes.append(size)
        times.append(moment)

    def offset_at(self, moment: float) -> int:
        times, sizes = self.known
        place = bisect_right(times, moment)
        return sizes[place - 1] if place else 0

    def time_at(self, offset: int) -> float | None:
        times, sizes = self.known
        place = bisect_right(sizes, offset, hi=len(times))
        return times[place] if place < len(times) else None

    def ticks(self, rank: int, after: float) -> Iterator[Tick]:
        times, sizes = self.known
        for place in range(bisect_right(times, after), len(times)):
            yield Tick(times[place], rank, sizes[place])


_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|d)", re.IGNORECASE)
_SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_DATE_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d")


def parse_moment(text: str, now: float) -> float:
    """UTC epoch seconds of `12:31`, `12:31:05`, `2026-05-01 12:31` (local time), or of `90s`, `10m`, `2h`, `1d` ago.

    A clock time without a date is the last one before `now`.

    Raises:
        ValueError: it is none of these.
    """
    text = text.strip()
    if match := _DURATION.fullmatch(text):
        return now - float(match[1]) * _SECONDS[match[2].lower()]
    if match := _CLOCK.fullmatch(text):
        return _last_clock_time(int(match[1]), int(match[2]), int(match[3] or 0), now, text)
    for form in _DATE_FORMATS:
        try:
            return time.mktime(time.strptime(text, form))
        except (ValueError, OverflowError):
            continue
    raise ValueError(_no_time(text))


def _last_clock_time(hour: int, minute: int, second: int, now: float, text: str) -> float:
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(_no_time(text))
    today = time.localtime(now)
    moment = time.mktime((*today[:3], hour, minute, second, 0, 0, -1))
    if moment > now:
        moment = time.mktime((today.tm_year, today.tm_mon, today.tm_mday - 1, hour, minute, second, 0, 0, -1))
    return moment


def _no_time(text: str) -> str:
    return (
        f"{text!r} is not a time. Allowed: a time of day (12:31, 12:31:05), a date with it (2026-05-01 12:31), "
        "and how long ago (90s, 10m, 2h, 1d)."
    )
