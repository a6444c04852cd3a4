"""The output of several ranks as one: whole lines, in the order in which the supervisor saw the files grow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from lightning_tui.output.growing import read_bytes
from lightning_tui.output.times import OutputTimes

_CHUNK = 1 << 20
_LONGEST = 16 << 20
"""A longer line is given on in pieces."""


class MergedOutput:
    """Lines of all ranks by the second in which they were written; within a second, lower ranks first."""

    def __init__(self, times: OutputTimes, since: float | None = None) -> None:
        self._times = times
        self._since = since
        self._after = since if since is not None else float("-inf")
        self._taken: dict[int, int] = {}

    def read_new(self, paths: Mapping[int, Path], *, is_over: bool) -> Iterator[tuple[int, bytes]]:
        """Rank and whole lines of what was sampled since the last call; of a run that is over, all that is left."""
        while self._times.poll():
            pass
        after = self._after
        for tick in self._times.ticks(after):
            after = tick.time
            if tick.rank in paths:
                yield from self._of_rank(tick.rank, paths[tick.rank], tick.size)
        self._after = after
        if is_over:
            for rank, path in sorted(paths.items()):
                yield from self._of_rank(rank, path, None)

    def _of_rank(self, rank: int, path: Path, end: int | None) -> Iterator[tuple[int, bytes]]:
        if rank not in self._taken:
            known = self._times.offset_at(rank, self._since) if self._since is not None else 0
            self._taken[rank] = line_start(path, known)
        for lines in whole_lines(path, self._taken[rank], end):
            self._taken[rank] += len(lines)
            yield rank, lines


def whole_lines(path: Path, start: int, end: int | None) -> Iterator[bytes]:
    """Whole lines of a file from `start` on, in pieces of a megabyte; up to `end`, or with its unfinished last line."""
    position, size = start, _CHUNK
    while True:
        data = read_bytes(path, position, position + size if end is None else min(end, position + size))
        cut = data.rfind(b"\n") + 1
        if not cut and len(data) < size:
            if data and end is None:
                yield data
            return
        if not cut and size < _LONGEST:
            size *= 2
            continue
        yield data[: cut or len(data)]
        position, size = position + (cut or len(data)), _CHUNK


def line_start(path: Path, offset: int) -> int:
    """Where the line begins that the byte before `offset` is in, or ends with; `offset` where that is far away."""
    first = max(0, offset - _CHUNK)
    cut = read_bytes(path, first, offset).rfind(b"\n") + 1
    return first + cut if cut or not first else offset
