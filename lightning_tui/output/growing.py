"""Open a file that somebody else writes, again and again, and notice when it is no longer the same one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_HEAD = 64
"""So many first bytes tell a file from another one that has taken its place, even under the same inode."""


class GrowingFile:
    """One path. Each look opens it again: on network file systems that is what makes new bytes visible."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.restarts = 0
        """How often it has shrunk or was replaced."""
        self.size = 0
        """Bytes at the last look."""
        self._inode: int | None = None
        self._head = b""

    @contextlib.contextmanager
    def opened(self, known: int) -> Iterator[int | None]:
        """A descriptor to read from, `None` where there is no file (yet).

        `known` is how many bytes the caller has read. Where they are not of this file, `restarts` is one higher.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            yield None
            return
        try:
            self._compare(descriptor, known)
            yield descriptor
        finally:
            os.close(descriptor)

    def _compare(self, descriptor: int, known: int) -> None:
        status = os.fstat(descriptor)
        head = os.pread(descriptor, _HEAD, 0)
        if self._inode not in (None, status.st_ino) or status.st_size < known or not head.startswith(self._head):
            self.restarts += 1
        self._inode, self._head, self.size = status.st_ino, head, status.st_size


def read_bytes(path: Path, start: int, end: int) -> bytes:
    """These bytes of a file; fewer where it has no more, none where it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.pread(descriptor, max(0, end - start), start)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
