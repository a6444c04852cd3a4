"""How is a file written whole or not at all? No reader sees half of it, and nobody but its owner may read it (0600)."""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

_SUM_BYTES = 4


def write_whole(path: Path, data: bytes | Callable[[IO[bytes]], object]) -> None:
    """Write data, or let it be written, beside the path, and put it in place: no other's file is written through.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            data(file) if callable(data) else file.write(data)
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def keep(path: Path, data: bytes) -> None:
    """Write what can be made again, with a checksum before it; where it cannot be written, nothing happens."""
    with contextlib.suppress(OSError):
        write_whole(path, _sum_of(data) + data)


def read_kept(path: Path) -> bytes | None:
    """What was kept; `None` where there is nothing, or it is torn."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data[_SUM_BYTES:] if data[:_SUM_BYTES] == _sum_of(data[_SUM_BYTES:]) else None


def _sum_of(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(_SUM_BYTES, "big")


def size_of(path: Path) -> int | None:
    """Bytes of a file, or of all files of a folder; `None` where they cannot be read."""
    try:
        if not path.is_dir():
            return path.stat().st_size
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    except OSError:
        return None
