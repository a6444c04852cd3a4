"""Follow files that grow: new whole lines since the last look, whatever happens to the file meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

CHUNK = 1 << 20


class LineTail:
    """New complete lines of one file at each poll.

    Tolerates a file that appears late, that ends in the middle of a line, that shrinks or is replaced (then it is
    read anew from its start, and `restarts` counts it). Each poll opens the file again: on network file systems that
    is what makes new bytes visible.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.restarts = 0
        self._inode: int | None = None

    @property
    def inode(self) -> int | None:
        """Of the file that was read; `None` before anything was."""
        return self._inode

    def resume(self, offset: int, inode: int) -> None:
        """Go on behind what was read of this file before."""
        self.offset, self._inode = offset, inode

    def poll(self, limit: int = 8 * CHUNK) -> list[bytes]:
        """Return the new lines without their ends; at most about `limit` bytes a call.

        A single line longer than `limit` is passed over, so that it cannot block what follows.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return []
        try:
            status = os.fstat(descriptor)
            if self._inode not in (None, status.st_ino) or status.st_size < self.offset:
                self.offset = 0
                self.restarts += 1
            self._inode = status.st_ino
            if status.st_size == self.offset:
                return []
            return self._whole_lines(os.pread(descriptor, limit, self.offset), limit)
        except OSError:
            return []
        finally:
            os.close(descriptor)

    def _whole_lines(self, data: bytes, limit: int) -> list[bytes]:
        end = data.rfind(b"\n") + 1
        if end == 0:
            self.offset += len(data) if len(data) >= limit else 0
            return []
        self.offset += end
        return data[: end - 1].split(b"\n")
