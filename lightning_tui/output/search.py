"""Find the lines of a growing file that match a regular expression: a count for each block, not a list of all hits."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import warnings
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import AnyStr, NamedTuple

from lightning_tui.output.growing import GrowingFile, read_bytes

BLOCK = 64 * 1024
"""Bytes that are searched at a time: short enough to leave the interpreter to others every millisecond."""
_LONG_LINE = 1 << 20
_OVERLAP = 4096
"""A match in a line longer than `_LONG_LINE` may be so long and still be found whole across two pieces."""

ERRORS = (
    rb"^(?:\[rank\d+\]:\s*)?(?:Traceback \(most recent"
    rb"|[\w.]*(?:Error|Exception|Interrupt)\b(?=:|\r?$))"
    rb"|\b(?:ERROR|CRITICAL|FATAL)\b"
)
"""Lines that tell of an error: what `n` steps through while nothing is searched for."""
_OF_ERRORS = (b"Error", b"Exception", b"Interrupt", b"Traceback", b"ERROR", b"CRITICAL", b"FATAL")
"""One of these is in each such line: most of a file is passed over without a look at its lines."""


class PatternError(ValueError):
    """A regular expression that cannot be taken; the message is for people."""


def slow_sentence(text: str) -> str:
    """Why a search was given up, and what to do."""
    return f"/{text} takes too long: avoid nested repeats and a leading .*"


@contextlib.contextmanager
def cpu_limit(seconds: float, text: str) -> Iterator[None]:
    """Interrupt what matches the expression `text` when it has taken so much CPU time. In the main thread only.

    Exponential expressions are interrupted in their midst; one that is only quadratic runs to its end on this line.

    Raises:
        PatternError: it was interrupted.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise PatternError(slow_sentence(text))

    before = signal.signal(signal.SIGVTALRM, interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def compile_search(text: str) -> tuple[re.Pattern[bytes], re.Pattern[str]]:
    """The expression for bytes of a file and for text on the screen. Only small letters: capitals match as well.

    A capital after a backslash, as in `\\S`, is no letter to look for.

    Raises:
        PatternError: it is no regular expression.
    """
    letters = re.sub(r"\\.", "", text)
    flags = re.MULTILINE | (re.IGNORECASE if letters == letters.lower() else 0)
    try:
        return _compiled(text.encode("utf-8", "surrogateescape"), flags), _compiled(text, flags)
    except (re.error, RecursionError, OverflowError) as error:
        reason = getattr(error, "msg", None) or str(error) or "it is nested too deeply"
        where = getattr(error, "pos", None)
        place = f", at character {where + 1}" if where is not None else ""
        raise PatternError(
            f"Not a valid regular expression: {reason}{place}. "
            "Escape special characters with a backslash, as in \\( or \\[."
        ) from error


def _compiled(source: AnyStr, flags: int) -> re.Pattern[AnyStr]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an expression may mean another thing one day is no matter here
        return re.compile(source, flags)


def compile_errors() -> re.Pattern[bytes]:
    """The expression that finds errors."""
    return re.compile(ERRORS, re.MULTILINE)


def matching_lines(pattern: re.Pattern[bytes], text: bytes) -> Iterator[int]:
    """Numbers, from 0, of the lines of `text` within which the pattern matches, each once."""
    quick = _quick(pattern)
    if quick.words and not any(word in text for word in quick.words):
        return
    if quick.is_lowered:
        text = text.lower()
    pattern = quick.pattern
    number = counted = position = 0
    while (match := pattern.search(text, position)) is not None and match.start() < len(text):
        begin = match.start()
        number += text.count(b"\n", counted, begin)
        counted = begin
        end = text.find(b"\n", begin)
        end = len(text) if end < 0 else end
        if match.end() <= end or pattern.search(text, begin, end) is not None:
            yield number
        position = end + 1
        if position > len(text):
            return


class _Quick(NamedTuple):
    """A way to find the same at a tenth of the time."""

    pattern: re.Pattern[bytes]
    is_lowered: bool = False
    """Whether it looks at the text in small letters: an expression that heeds them is found far faster."""
    words: tuple[bytes, ...] = ()
    """Without one of these there is no match."""


@functools.lru_cache(maxsize=16)
def _quick(pattern: re.Pattern[bytes]) -> _Quick:
    source = pattern.pattern
    if source == ERRORS:
        return _Quick(pattern, words=_OF_ERRORS)
    if pattern.flags & re.IGNORECASE and source == source.lower() and not {b"\\x", b"\\0", b"(?"} & _parts_of(source):
        return _Quick(_compiled(source, pattern.flags & ~re.IGNORECASE), is_lowered=True)
    return _Quick(pattern)


def _parts_of(source: bytes) -> set[bytes]:
    return {source[place : place + 2] for place in range(len(source))}


class SearchReport(NamedTuple):
    """What `Hits` of one process tell those of another."""

    restarts: int
    file_size: int
    size: int
    total: int
    has_begun: bool
    blocks: array[int]
    """Of each block that is new: where it ends, and how many lines and hits there are up to there."""

    @property
    def new_blocks(self) -> int:
        return len(self.blocks) // 3


class Hits:
    """Where a pattern matches in one file. One thread polls it, or takes what others found; another may ask."""

    def __init__(self, path: Path, pattern: re.Pattern[bytes]) -> None:
        self.path = path
        self.pattern = pattern
        self._file = GrowingFile(path)
        self._blocks = _HitBlocks(path, pattern)
        self._has_begun = False

    @property
    def restarts(self) -> int:
        """How often the file was taken anew."""
        return self._file.restarts

    @property
    def total(self) -> int:
        """Matching lines so far."""
        return self._blocks.total

    @property
    def searched(self) -> int:
        """Bytes so far."""
        return self._blocks.size

    @property
    def has_begun(self) -> bool:
        return self._has_begun

    @property
    def is_complete(self) -> bool:
        """Whether all that the file had at the last look is searched."""
        return self._blocks.size >= self._file.size

    @property
    def share(self) -> float:
        """How much of the file is searched, 0 to 1."""
        return min(1.0, self._blocks.size / self._file.size) if self._file.size else 1.0

    def poll(self) -> int:
        """Search one block more; returns how many bytes that was."""
        taken = self._poll()
        self._has_begun = True
        return taken

    def report(self, restarts: int, known: int) -> SearchReport:
        """What is new to one who knows so many blocks of the file, after so many restarts."""
        blocks = self._blocks
        new = blocks.since(known if restarts == blocks.restarts else 0)
        return SearchReport(blocks.restarts, self._file.size, blocks.size, blocks.total, self._has_begun, new)

    def add(self, report: SearchReport) -> None:
        """Know what another process has found."""
        if report.restarts != self._blocks.restarts:
            self._blocks = _HitBlocks(self.path, self.pattern, report.restarts)
        self._file.restarts, self._file.size = report.restarts, report.file_size
        self._blocks.extend(report)
        self._has_begun = report.has_begun

    def line_of(self, hit: int) -> int:
        """Number of the line, from 0, of hit number `hit`, from 0."""
        return self._blocks.line_of(hit)

    def first_from(self, line: int) -> int:
        """Number of the first hit at or after this line; `total` where there is none."""
        return self._blocks.first_from(line)

    def _poll(self) -> int:
        try:
            with self._file.opened(self._blocks.size) as descriptor:
                if descriptor is None:
                    return 0
                restarts = self._file.restarts
                if restarts != self._blocks.restarts:
                    self._blocks = _HitBlocks(self.path, self.pattern, restarts)
                data = os.pread(descriptor, BLOCK, self._blocks.size)
                self._blocks.add(data)
                return len(data)
        except OSError:
            return 0


class _HitBlocks:
    """Where blocks of whole lines begin, and how many lines and hits stand before each."""

    def __init__(self, path: Path, pattern: re.Pattern[bytes], restarts: int = 0) -> None:
        self.restarts = restarts
        self.size = 0
        self.total = 0
        self._path = path
        self._pattern = pattern
        self._starts = array("Q", [0])
        self._lines_before = array("Q", [0])
        self._hits_before = array("Q", [0])
        self._rest = b""
        """The unfinished last line, or the end of it where it is long."""
        self._is_hit = False
        """Whether what was cut off of the unfinished line matches already."""
        self._numbers = functools.lru_cache(maxsize=16)(self._find_again)

    def add(self, data: bytes) -> None:
        """Search the bytes that follow what is known."""
        begin = self.size - len(self._rest)
        text = self._rest + data
        if self._is_cut(begin) and (cut := text.find(b"\n") + 1):
            self._close(begin + cut, 1, int(self._is_hit or self._matches(text[:cut])))
            begin, text = begin + cut, text[cut:]
        end = text.rfind(b"\n") + 1
        if end:
            whole = text[:end]
            hits = sum(1 for _ in matching_lines(self._pattern, whole))
            self._close(begin + end, whole.count(b"\n"), hits)
        self._keep(text[end:])
        self.size += len(data)
        self.total = self._hits_before[-1] + self._is_hit

    def since(self, known: int) -> array[int]:
        """End, lines and hits of each block after the first `known` ones."""
        parts = (self._starts, self._lines_before, self._hits_before)
        return array("Q", (part[place] for place in range(known + 1, len(self._starts)) for part in parts))

    def extend(self, report: SearchReport) -> None:
        """Take blocks that another process has searched."""
        blocks = report.blocks
        self._hits_before.extend(blocks[2::3])
        self._lines_before.extend(blocks[1::3])
        self._starts.extend(blocks[::3])
        self.size, self.total = report.size, report.total

    def line_of(self, hit: int) -> int:
        place = bisect_right(self._hits_before, hit) - 1
        if place + 1 >= len(self._starts):
            return self._lines_before[-1]
        numbers = self._numbers(place)
        offset = hit - self._hits_before[place]
        return self._lines_before[place] + (numbers[offset] if offset < len(numbers) else 0)

    def first_from(self, line: int) -> int:
        if line > self._lines_before[-1]:
            return self.total
        place = bisect_right(self._lines_before, line) - 1
        before = self._hits_before[place]
        if place + 1 >= len(self._starts):
            return before
        return before + bisect_left(self._numbers(place), line - self._lines_before[place])

    def _is_cut(self, begin: int) -> bool:
        return begin > self._starts[-1]

    def _matches(self, text: bytes, begin: int = 0) -> bool:
        return self._pattern.search(text.removesuffix(b"\n"), begin) is not None

    def _keep(self, rest: bytes) -> None:
        # The last line of a file that has no end yet counts as it stands. Of a longer one what is new is looked at, and
        # all of it once more when it ends.
        begin = max(0, len(rest) - BLOCK - _OVERLAP)
        was_hit = self._is_hit and (begin > 0 or self._is_cut(self.size - len(self._rest)))
        is_hit = bool(rest) and self._matches(rest, begin)
        if len(rest) > _LONG_LINE:
            self._rest = rest[-_OVERLAP:]
        else:
            self._rest = rest
        self._is_hit = is_hit or (was_hit and bool(rest))

    def _close(self, end: int, lines: int, hits: int) -> None:
        # The starts last: whoever reads meanwhile takes a block for whole only when the start of the next one is there.
        self._hits_before.append(self._hits_before[-1] + hits)
        self._lines_before.append(self._lines_before[-1] + lines)
        self._starts.append(end)
        self._is_hit = False
        self._rest = b""

    def _find_again(self, place: int) -> array[int]:
        lines = self._lines_before[place + 1] - self._lines_before[place]
        hits = self._hits_before[place + 1] - self._hits_before[place]
        if not hits or lines == 1:
            return array("L", [0] * hits)
        text = read_bytes(self._path, self._starts[place], self._starts[place + 1])
        return array("L", matching_lines(self._pattern, text))
