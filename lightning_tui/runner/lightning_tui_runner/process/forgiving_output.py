"""Let the program print on where its output file can take no more: a full disk must not end a training by a `print`."""

from __future__ import annotations

import errno
import io
import sys
from typing import Any

FORGIVEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE})
"""Disk full, quota, read-only, broken, gone: what a file system says that is nothing of the program's own doing."""


class ForgivingFile(io.FileIO):
    """A file that swallows what cannot be written for one of these reasons; what fits again later is written."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in FORGIVEN:
                raise
            return memoryview(data).nbytes


def forgive_full_disks() -> None:
    """Replace stdout and stderr by ones of the same kind that forgive. To be called before the program runs."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if type(stream) is not io.TextIOWrapper or stream.fileno() != descriptor:
            continue
        stream.flush()
        raw = ForgivingFile(descriptor, "wb", closefd=False)
        raw.name = stream.name
        is_unbuffered = isinstance(stream.buffer, io.RawIOBase)
        text = io.TextIOWrapper(
            raw if is_unbuffered else io.BufferedWriter(raw),
            encoding=stream.encoding,
            errors=stream.errors,
            newline="\n",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        text.mode = "w"  # type: ignore[misc]
        setattr(sys, name, text)
        setattr(sys, f"__{name}__", text)
