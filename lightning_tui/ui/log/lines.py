"""Which lines the log shows, and in which order: those of a rank, those that match, or those of all ranks by time.

Each source numbers its lines from 0; a line's number in its own file is another thing.
"""

from __future__ import annotations

import copy
import re
from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lightning_tui.output.search import Hits
    from lightning_tui.output.times import OutputTimes
    from lightning_tui.ui.log.index import LogIndex, LogMark

ALL_RANKS: Final = -1
"""Chosen in place of a rank: the output of all of them, by time."""

MOST_FOLDED = 300
"""A traceback that is longer is not folded."""

_HEADER = re.compile(rb"(?:\[rank\d+\]:\s?)?Traceback \(most recent call last\)")
_PREFIX = re.compile(rb"\[rank\d+\]:\s?")


class Line(NamedTuple):
    """A line of one rank's file."""

    rank: int
    number: int
    data: bytes
    is_context: bool = False
    """It does not match itself, but stands near one that does."""


class Lines(Protocol):
    """What a page is made of."""

    @property
    def total(self) -> int:
        """How many there are now."""

    @property
    def mark(self) -> object:
        """What a page depends on: another value means that there is something new."""

    def at(self, position: int) -> tuple[Line, ...]:
        """The line at a position, with those around it that are shown with it."""

    def position_of(self, rank: int, number: int) -> int:
        """Where this line of a file stands, or would stand."""

    def first_from(self, rank: int, position: int) -> int:
        """Number of the first line of this rank that stands at or after a position."""

    def whole(self, line: Line, limit: int) -> bytes:
        """A line with up to `limit` bytes, also where `at` gives only its beginning."""

    def twin(self) -> Lines:
        """The same lines, to be read by another thread."""


class PlainLines:
    """All lines of one rank."""

    def __init__(self, log: LogIndex, rank: int) -> None:
        self.log = log
        self.rank = rank

    @property
    def total(self) -> int:
        return self.log.lines

    @property
    def mark(self) -> LogMark:
        return self.log.mark

    def at(self, position: int) -> tuple[Line, ...]:
        return (Line(self.rank, position, self.log.line(position)),)

    def position_of(self, rank: int, number: int) -> int:
        return number

    def first_from(self, rank: int, position: int) -> int:
        return position

    def whole(self, line: Line, limit: int) -> bytes:
        return self.log.whole_line(line.number, limit)

    def twin(self) -> PlainLines:
        return PlainLines(self.log.twin(), self.rank)


class MatchingLines:
    """The lines of one rank that match, each with so many lines of context before and after it."""

    def __init__(self, log: LogIndex, rank: int, hits: Hits, context: int) -> None:
        self.log = log
        self.rank = rank
        self.hits = hits
        self.context = context

    @property
    def total(self) -> int:
        """Hits that the index of lines has come to as well."""
        is_ahead = self.hits.searched > self.log.size
        return self.hits.first_from(self.log.lines) if is_ahead else self.hits.total

    @property
    def mark(self) -> tuple[int, int, int]:
        size = self.log.size if self.context else 0
        return self.hits.restarts, self.total, size

    def at(self, position: int) -> tuple[Line, ...]:
        here = self.hits.line_of(position)
        first, last = here, here
        if self.context:
            before = self.hits.line_of(position - 1) if position else -1 - self.context
            after = self.hits.line_of(position + 1) if position + 1 < self.total else self.log.lines
            first = max(0, here - self.context, min(here, before + self.context + 1))
            last = min(here + self.context, after - 1)
        return tuple(
            Line(self.rank, number, self.log.line(number), number != here) for number in range(first, last + 1)
        )

    def position_of(self, rank: int, number: int) -> int:
        return self.hits.first_from(number)

    def first_from(self, rank: int, position: int) -> int:
        return self.hits.line_of(position) if position < self.total else self.log.lines

    def whole(self, line: Line, limit: int) -> bytes:
        return self.log.whole_line(line.number, limit)

    def twin(self) -> MatchingLines:
        return MatchingLines(self.log.twin(), self.rank, self.hits, self.context)


class MergedLines:
    """The lines of all ranks in the order in which the supervisor saw them: by the second, then by rank.

    The follower's thread calls `extend`; another may read at any time. What is there stays where it is.
    """

    def __init__(self, logs: Mapping[int, LogIndex], times: OutputTimes) -> None:
        self.logs = logs
        self.generations = tuple(log.generation for log in logs.values())
        """As they were at the beginning: when a file is taken anew, its lines are others."""
        self._times = times
        self._after = float("-inf")
        self._next = dict.fromkeys(logs, 0)
        """The first line of each rank that is not in any part yet."""
        self._ends = array("Q")
        self._ranks = array("L")
        self._first_lines = array("Q")
        self._parts = {rank: array("L") for rank in logs}
        """Numbers of the parts of each rank."""
        self.total = 0

    @property
    def mark(self) -> tuple[int, ...]:
        return (self.total, *(log.generation for log in self.logs.values()))

    def extend(self, *, is_over: bool) -> None:
        """Take what was sampled since; of a run that is over, all that there is."""
        self._take_ticks()
        if is_over and not any(log.missing for log in self.logs.values()):
            for rank, log in sorted(self.logs.items()):
                self._add(rank, log.lines)

    def _take_ticks(self) -> None:
        done = self._after
        for tick in self._times.ticks(self._after):
            if tick.time > done:  # all ranks of the second before are taken
                self._after, done = done, tick.time
            log = self.logs.get(tick.rank)
            if log is None:
                continue
            if log.missing and tick.size > log.size:
                return  # the index is not so far yet
            self._add(tick.rank, log.line_at(min(tick.size, log.size)))
        self._after = done

    def at(self, position: int) -> tuple[Line, ...]:
        part = bisect_right(self._ends, position)
        rank, number = self._ranks[part], self._first_lines[part] + position - self._begin_of(part)
        return (Line(rank, number, self.logs[rank].line(number)),)

    def position_of(self, rank: int, number: int) -> int:
        parts = self._parts[rank]
        place = bisect_right(parts, number, key=lambda part: self._first_lines[part]) - 1
        if place < 0:
            return self.total
        before = self._begin_of(parts[place])
        return min(self._ends[parts[place]], before + number - self._first_lines[parts[place]])

    def first_from(self, rank: int, position: int) -> int:
        parts = self._parts[rank]
        place = bisect_right(parts, position, key=lambda part: self._ends[part])
        if place == len(parts):
            return self._next[rank]
        return self._first_lines[parts[place]] + max(0, position - self._begin_of(parts[place]))

    def whole(self, line: Line, limit: int) -> bytes:
        return self.logs[line.rank].whole_line(line.number, limit)

    def twin(self) -> MergedLines:
        twin = copy.copy(self)
        twin.logs = {rank: log.twin() for rank, log in self.logs.items()}
        return twin

    def _begin_of(self, part: int) -> int:
        return self._ends[part - 1] if part else 0

    def _add(self, rank: int, end: int) -> None:
        """Add the lines of a rank up to `end`."""
        begin = self._next[rank]
        if end <= begin:
            return
        if self._ranks and self._ranks[-1] == rank:
            self._ends[-1] += end - begin
        else:
            self._first_lines.append(begin)
            self._ranks.append(rank)
            self._ends.append(self.total + end - begin)
            self._parts[rank].append(len(self._ends) - 1)
        self._next[rank] = end
        self.total += end - begin


# --------------------------------------------------------------------------------------------- folded tracebacks


class Folds:
    """Where tracebacks begin and end among the lines of one source. What was found once is remembered."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._headers: dict[int, int | None] = {}
        self._ends: dict[int, int | None] = {}

    def around(self, position: int) -> tuple[int, int] | None:
        """First and last line of the whole traceback that this line belongs to."""
        header = self._header_of(position)
        if header is None and position:
            header = self._header_of(position - 1)  # it may be the line with the exception
        if header is None:
            return None
        end = self._end_of(header)
        return (header, end) if end is not None and header <= position <= end else None

    def _header_of(self, position: int) -> int | None:
        """Line with the `Traceback` that an indented line stands under."""
        walked: list[int] = []
        found: int | None = None
        while position >= 0 and len(walked) < MOST_FOLDED:
            if position in self._headers:
                found = self._headers[position]
                break
            data = self._data(position)
            walked.append(position)
            if _HEADER.match(data):
                found = position
                break
            if not _is_indented(data):
                break
            position -= 1
        self._remember(walked, found)
        return found

    def _remember(self, walked: list[int], found: int | None) -> None:
        if len(self._headers) > 20_000:
            self._headers.clear()
            self._ends.clear()
        last = self._lines.total - 1
        self._headers.update({place: found for place in walked if place < last})

    def _end_of(self, header: int) -> int | None:
        if header in self._ends:
            return self._ends[header]
        last = self._lines.total - 1
        position = header + 1
        while position <= min(last, header + MOST_FOLDED) and _is_indented(self._data(position)):
            position += 1
        is_whole = header + 1 < position < last or (header + 1 < position == last and self._data(last).strip() != b"")
        if not is_whole or position > header + MOST_FOLDED:
            if last > header + MOST_FOLDED:
                self._ends[header] = None
            return None
        if position < last:
            self._ends[header] = position
        return position

    def _data(self, position: int) -> bytes:
        data = self._lines.at(position)[0].data
        return _PREFIX.sub(b"", data, count=1) if data.startswith(b"[rank") else data


def _is_indented(data: bytes) -> bool:
    return data[:1] in (b" ", b"\t")
