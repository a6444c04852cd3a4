"""Find any line of a growing log of any size at once: 16 bytes of memory for each 32 KB of file."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

BLOCK = 32 * 1024
CHUNK = 1 << 20
_KEPT_BLOCKS = 16
_EDGE = 4096
"""Of a line longer than a block, only so many bytes of its head and of its tail are ever read."""


class _Blocks:
    """Where blocks begin and how many lines stand before each. A block is at most `BLOCK` bytes, or one longer line."""

    def __init__(self) -> None:
        self.starts = array("Q", [0])
        self.lines_before = array("Q", [0])
        self.size = 0
        self.newlines = 0
        self.last_end = 0
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
    """The lines of one file. One thread polls it; another may read lines at any time.

    A file that appears late, shrinks or is replaced is taken anew, and `generation` counts that.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.generation = 0
        self._blocks = _Blocks()
        self._inode: int | None = None
        self._kept: OrderedDict[tuple[int, int, int], list[bytes]] = OrderedDict()

    @property
    def mark(self) -> LogMark:
        """What there is now."""
        blocks = self._blocks
        return LogMark(self.generation, blocks.total, blocks.size)

    @property
    def lines(self) -> int:
        """Lines so far; one that has no end yet counts."""
        return self._blocks.total

    def poll(self, limit: int = 8 * CHUNK) -> int:
        """Read what is new, at most about `limit` bytes; returns how many bytes that was."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return 0
        try:
            status = os.fstat(descriptor)
            if self._inode not in (None, status.st_ino) or status.st_size < self._blocks.size:
                self._blocks = _Blocks()
                self.generation += 1
            self._inode = status.st_ino
            return self._read(descriptor, limit)
        except OSError:
            return 0
        finally:
            os.close(descriptor)

    def line(self, number: int) -> bytes:
        """The bytes of line `number`, from 0, without its end; empty where there is no such line."""
        blocks = self._blocks
        if not 0 <= number < blocks.total:
            return b""
        place = bisect_right(blocks.lines_before, number) - 1
        start = blocks.starts[place]
        end = blocks.starts[place + 1] if place + 1 < len(blocks.starts) else blocks.size
        lines = self._block(start, end)
        offset = number - blocks.lines_before[place]
        return lines[offset] if offset < len(lines) else b""

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
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return []
        try:
            if end - start <= BLOCK + 1:
                return os.pread(descriptor, end - start, start).split(b"\n")
            head = os.pread(descriptor, _EDGE, start)
            tail = os.pread(descriptor, _EDGE, end - _EDGE).removesuffix(b"\n")
            return [tail if b"\r" in tail.rstrip(b"\r") else head]
        except OSError:
            return []
        finally:
            os.close(descriptor)
