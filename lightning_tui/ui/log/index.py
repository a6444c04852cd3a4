"""Find any line of a growing log of any size at once: 16 bytes of memory for each 32 KB of file."""

from __future__ import annotations

import copy
import os
import time
from array import array
from bisect import bisect_right
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from lightning_tui.output.growing import GrowingFile, read_bytes

BLOCK = 32 * 1024
CHUNK = 1 << 20
_KEPT_BLOCKS = 16
_BREATH_S = 0.001
_EDGE = 4096
"""Of a line longer than a block, only so many bytes of its head and of its tail are ever read."""


class _LineBlocks:
    """Where blocks begin and how many lines stand before each. A block is at most `BLOCK` bytes, or one longer line."""

    def __init__(self, start: int = 0) -> None:
        self.starts = array("Q", [start])
        self.lines_before = array("Q", [0])
        self.size = start
        self.newlines = 0
        self.last_end = start
        self.total = 0
        """Lines that can be read; set last, so that another thread never sees a line before its block."""

    def take(self, data: bytes) -> None:
        """Index the bytes that follow what is known."""
        position = 0
        while position < len(data):
            full_at = self.starts[-1] + BLOCK - self.size
            if full_at <= position:
                position = self._end_long_line(data, position)
            else:
                position = self._fill_block(data, position, min(len(data), full_at), full_at)
        self.size += len(data)
        self.total = self.newlines + (self.size > self.last_end)

    def _end_long_line(self, data: bytes, position: int) -> int:
        cut = data.find(b"\n", position)
        if cut < 0:
            return len(data)
        self.newlines += 1
        self.last_end = self.size + cut + 1
        self._begin_block()
        return cut + 1

    def _fill_block(self, data: bytes, position: int, stop: int, full_at: int) -> int:
        cut = data.rfind(b"\n", position, stop)
        if cut >= 0:
            self.newlines += data.count(b"\n", position, cut + 1)
            self.last_end = self.size + cut + 1
        if stop == full_at and self.last_end > self.starts[-1]:
            self._begin_block()
        return stop

    def _begin_block(self) -> None:
        self.starts.append(self.last_end)
        self.lines_before.append(self.newlines)


class LogMark(NamedTuple):
    """What a drawn page depends on: when two marks are equal, nothing is new."""

    generation: int
    lines: int
    size: int


class LogIndex:
    """The lines of one file, from a byte on where a line begins. One thread polls it; another may read lines meanwhile.

    A file that appears late, shrinks or is replaced is taken anew, and `generation` counts that.
    """

    def __init__(self, path: Path, start: int = 0) -> None:
        self.path = path
        self.start = start
        self._file = GrowingFile(path)
        self._blocks = _LineBlocks(start)
        self._taken_anew = 0
        self._kept: OrderedDict[tuple[int, int, int], list[bytes]] = OrderedDict()

    @property
    def generation(self) -> int:
        """How often the file was taken anew."""
        return self._file.restarts

    @property
    def mark(self) -> LogMark:
        """What there is now."""
        blocks = self._blocks
        return LogMark(self.generation, blocks.total, blocks.size)

    @property
    def lines(self) -> int:
        """Lines so far; one that has no end yet counts."""
        return self._blocks.total

    @property
    def size(self) -> int:
        """Where the bytes end that are known."""
        return self._blocks.size

    @property
    def missing(self) -> int:
        """Bytes that the file had at the last look and that are not known yet."""
        return max(0, self._file.size - self._blocks.size)

    def poll(self, limit: int = 8 * CHUNK) -> int:
        """Read what is new, at most about `limit` bytes; returns how many bytes that was."""
        try:
            with self._file.opened(self._blocks.size) as descriptor:
                if descriptor is None:
                    return 0
                if self._file.restarts != self._taken_anew:
                    self._taken_anew = self._file.restarts
                    self.start = 0
                    self._blocks = _LineBlocks()
                return self._read(descriptor, limit)
        except OSError:
            return 0

    def line(self, number: int) -> bytes:
        """The bytes of line `number`, from 0, without its end; empty where there is no such line.

        Of a line that is longer than a block the first bytes, or where it is a bar its last ones.
        """
        blocks = self._blocks
        if not 0 <= number < blocks.total:
            return b""
        place, start, end = self._place_of(number)
        lines = self._block(start, end)
        offset = number - blocks.lines_before[place]
        return lines[offset] if offset < len(lines) else b""

    def whole_line(self, number: int, limit: int) -> bytes:
        """The same, but of a longer line up to `limit` bytes."""
        if not 0 <= number < self.lines:
            return b""
        _, start, end = self._place_of(number)
        if end - start <= BLOCK + 1:
            return self.line(number)
        return read_bytes(self.path, start, min(end, start + limit)).removesuffix(b"\n")

    def offset_of(self, number: int) -> int:
        """Where line `number` begins; the end of what is known where there is no such line."""
        blocks = self._blocks
        if not 0 <= number < blocks.total:
            return blocks.size
        place, start, end = self._place_of(number)
        before = number - blocks.lines_before[place]
        return start + sum(len(line) + 1 for line in self._block(start, end)[:before]) if before else start

    def line_at(self, offset: int) -> int:
        """Number of the line that has the byte at `offset`."""
        blocks = self._blocks
        if offset <= self.start:
            return 0
        whole = len(blocks.lines_before)  # the last start may be there before the lines before it are counted
        place = bisect_right(blocks.starts, min(offset, blocks.size), hi=whole) - 1
        start = blocks.starts[place]
        end = blocks.starts[place + 1] if place + 1 < len(blocks.starts) else blocks.size
        is_one_line = end - start > BLOCK + 1
        before = 0 if is_one_line else read_bytes(self.path, start, min(offset, blocks.size)).count(b"\n")
        return blocks.lines_before[place] + before

    def twin(self) -> LogIndex:
        """The same lines, to be read by another thread: two threads must not share the blocks that are kept."""
        twin = copy.copy(self)
        twin._kept = OrderedDict()
        return twin

    def _place_of(self, number: int) -> tuple[int, int, int]:
        """Place, start and end of the block with this line."""
        blocks = self._blocks
        place = bisect_right(blocks.lines_before, number) - 1
        start = blocks.starts[place]
        end = blocks.starts[place + 1] if place + 1 < len(blocks.starts) else blocks.size
        return place, start, end

    def _read(self, descriptor: int, limit: int) -> int:
        taken = 0
        while taken < limit:
            data = os.pread(descriptor, CHUNK, self._blocks.size)
            if not data:
                break
            self._blocks.take(data)
            taken += len(data)
        return taken

    def _block(self, start: int, end: int) -> list[bytes]:
        key = (self.generation, start, end)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        lines = self._read_block(start, end)
        self._kept[key] = lines
        while len(self._kept) > _KEPT_BLOCKS:
            self._kept.popitem(last=False)
        return lines

    def _read_block(self, start: int, end: int) -> list[bytes]:
        if end - start <= BLOCK + 1:
            return read_bytes(self.path, start, end).split(b"\n")
        head = read_bytes(self.path, start, start + _EDGE)
        tail = read_bytes(self.path, end - _EDGE, end).removesuffix(b"\n")
        return [tail if b"\r" in tail.rstrip(b"\r") else head]


TAIL = 4 * CHUNK
"""Bytes at the end of a long file that are read first."""


class LogReading:
    """Reads a file so that its end can be seen at once: the last bytes first, then all of it in pieces."""

    def __init__(self, path: Path) -> None:
        self.whole = LogIndex(path)
        self._tail = _end_of(path)
        self._has_tail = False

    @property
    def shown(self) -> LogIndex:
        """All lines, or the last ones as long as the others are still being read."""
        return self._tail if self._tail is not None else self.whole

    @property
    def share(self) -> float | None:
        """How much of the file is read while only its end is shown, 0 to 1."""
        whole = self.whole
        return whole.size / max(1, whole.size + whole.missing) if self._tail is not None else None

    def poll(self, limit: int) -> bool:
        """Read what is new; true where more is left than `limit` bytes."""
        tail = self._tail
        if tail is not None and tail.poll(max(limit, 2 * TAIL)) and not self._has_tail:
            self._has_tail = True
            return False  # the screen draws it first
        is_behind = self._read_whole(limit)
        if tail is not None and (tail.generation or self.whole.generation or self.whole.size >= tail.size):
            self._tail = None
        return is_behind

    def _read_whole(self, limit: int) -> bool:
        """Read in small pieces: between them the interpreter is left to the screen."""
        taken = 0
        while taken < limit and (piece := self.whole.poll(CHUNK)):
            taken += piece
            if taken > CHUNK:
                time.sleep(_BREATH_S)
        return taken >= limit


def _end_of(path: Path) -> LogIndex | None:
    """The last lines of a file that takes long to read, `None` for others."""
    try:
        size = path.stat().st_size
    except OSError:
        return None
    if size < 4 * TAIL:
        return None
    cut = read_bytes(path, size - TAIL, size).find(b"\n")
    return LogIndex(path, size - TAIL + cut + 1) if cut >= 0 else None
