"""Writes numbered lines of 96 bytes at a steady rate: `writer.py FILE LINES_PER_S SECONDS`."""

from __future__ import annotations

import sys
import time
from pathlib import Path


def main(path: str, rate: int, seconds: float) -> None:
    """Write in a hundred pieces a second, at the end exactly `rate * seconds` lines."""
    total, written = int(rate * seconds), 0
    began = time.monotonic()
    with Path(path).open("ab", buffering=0) as file:
        while written < total:
            due = min(total, int((time.monotonic() - began) * rate))
            if due > written:
                file.write(b"".join(b"line %012d " % number + b"." * 77 + b"\n" for number in range(written, due)))
                written = due
            time.sleep(0.01)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
