"""A run's index: what its event files have already added up to, kept beside them so that a long run opens at once.

It is a cache and nothing else: it may be deleted at any time, is rebuilt where it does not fit the files, and is not
written where the run directory cannot be. It holds data only, never code. Readers write it whole, then rename it.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from lightning_tui.files import keep, read_kept
from lightning_tui.record.directory import RunDirectory
from lightning_tui.record.events import AnyEvent, DeviceMemory, Metrics, Progress, Sampled, StageChanged
from lightning_tui.record.pace import PaceState
from lightning_tui.record.series import SeriesState, TimelineState
from lightning_tui.record.tail import LineTail

INDEX_VERSION = 1

SAVE_AFTER_BYTES = 8 << 20
"""An index is written when so much of the event files is new since the last one: less is read as fast."""

KEPT_SAMPLES_S = 960.0
"""Samples of so long are read again: their history spans ten minutes, and all fields come again every five."""

_NEAR_THE_END_BYTES = 1 << 20
"""A look that finds less than this has caught up with the writers."""

_FINGERPRINT_BYTES = 128


_EVENT_FILE = re.compile(r"supervisor/[0-9]+\.jsonl|attempt-[0-9]+/events/rank-[0-9]+(?:-[0-9]+)?\.jsonl")


class Folded(msgspec.Struct):
    """How far a file has been read, and the lines of it that must be read again."""

    inode: int
    offset: int
    fingerprint: bytes
    """The last bytes before the offset: a file that was replaced does not have them there."""
    kept: list[bytes]


class SkippedTotals(msgspec.Struct):
    """What the lines that are not kept have added up to."""

    metrics: dict[str, SeriesState]
    timeline: TimelineState
    pace: PaceState
    unreadable_lines: int


class _IndexContent(msgspec.Struct):
    version: int
    byte_order: str
    run: str
    files: dict[str, Folded]
    sums: SkippedTotals


class _KeptLine(msgspec.Struct):
    """A kept line; only the newest with the same key is needed, of those that have one."""

    line: bytes
    key: str | None
    time: float


class RunIndex:
    """Collects, while a reader reads, what an index needs. Used by the reader's thread alone."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._lines: dict[str, list[_KeptLine]] = {}
        self._saved_at = 0
        self._seen = 0

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._directory.path / "index" / f"v{INDEX_VERSION}.msgpack"

    def note(self, path: Path, line: bytes, event: AnyEvent) -> None:
        """Keep a line that has just been read, where it must be read again."""
        if isinstance(event, Metrics):
            return
        key = _key_of(event)
        lines = self._lines.setdefault(self._name(path), [])
        lines.append(_KeptLine(line, key, event.time))
        if len(lines) >= 64 and len(lines) & (len(lines) - 1) == 0:  # at powers of two: cheap on average
            lines[:] = _needed(lines)

    def load(self, tails: dict[Path, LineTail]) -> tuple[dict[Path, list[bytes]], SkippedTotals] | None:
        """Return the lines to read again by file, and the sums; `tails` then go on after them.

        `None` where there is no index, or one that does not fit the files.
        """
        try:
            content = msgspec.msgpack.decode(read_kept(self.path) or b"", type=_IndexContent)
        except (msgspec.DecodeError, ValueError):
            return None
        said = (content.version, content.byte_order, content.run)
        is_ours = said == (INDEX_VERSION, sys.byteorder, self._directory.id)
        if not is_ours or not all(self._fits(name, folded) for name, folded in content.files.items()):
            return None
        kept = {}
        for name, folded in content.files.items():
            path = self._directory.path / name
            tail = tails[path] = LineTail(path)
            tail.resume(folded.offset, folded.inode)
            kept[path] = folded.kept
        self._saved_at = sum(folded.offset for folded in content.files.values())
        return kept, content.sums

    def is_due(self, tails: Mapping[Path, LineTail]) -> bool:
        """Whether enough is new, and the end of the files is near. Never, once one was replaced while it was read."""
        read = sum(tail.offset for tail in tails.values())
        new, now, self._seen = read - self._saved_at, read - self._seen, read
        is_enough = new >= SAVE_AFTER_BYTES and (now < _NEAR_THE_END_BYTES or new >= self._saved_at)
        return is_enough and not any(tail.restarts for tail in tails.values())

    def save(self, tails: Mapping[Path, LineTail], sums: SkippedTotals) -> None:
        """Write it; where that cannot be done, nothing happens."""
        self._saved_at = sum(tail.offset for tail in tails.values())
        files = {}
        for path, tail in tails.items():
            fingerprint = _fingerprint(path, tail.offset)
            if tail.inode is None or fingerprint is None:
                continue
            name = self._name(path)
            lines = self._lines[name] = _needed(self._lines.get(name, []))
            files[name] = Folded(tail.inode, tail.offset, fingerprint, [line.line for line in lines])
        content = _IndexContent(INDEX_VERSION, sys.byteorder, self._directory.id, files, sums)
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
        keep(self.path, msgspec.msgpack.encode(content))

    def _fits(self, name: str, folded: Folded) -> bool:
        if _EVENT_FILE.fullmatch(name) is None:
            return False
        path = self._directory.path / name
        try:
            status = path.stat()
        except OSError:
            return False
        is_same = status.st_ino == folded.inode and status.st_size >= folded.offset
        return is_same and _fingerprint(path, folded.offset) == folded.fingerprint

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self._directory.path))


def _key_of(event: AnyEvent) -> str | None:
    if isinstance(event, Progress | StageChanged):
        return f"{type(event).__name__} {event.stage}"
    return type(event).__name__ if isinstance(event, DeviceMemory | Sampled) else None


def _needed(lines: list[_KeptLine]) -> list[_KeptLine]:
    """Those that say something that a later one does not, in their order."""
    newest = max((line.time for line in lines if line.key == "Sampled"), default=0.0)

    def walk() -> Iterator[_KeptLine]:
        seen: set[str] = set()
        for line in reversed(lines):
            if line.key == "Sampled":
                if newest - line.time <= KEPT_SAMPLES_S:
                    yield line
            elif line.key is None or line.key not in seen:
                seen.add(line.key or "")
                yield line

    return list(walk())[::-1]


def _fingerprint(path: Path, offset: int) -> bytes | None:
    start = max(0, offset - _FINGERPRINT_BYTES)
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(offset - start)
    except OSError:
        return None
