"""Small readers of the kernel's and the system's text files; what cannot be read is `None` or empty, never an error."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def lines_of(file: Path) -> Iterable[str]:
    """Its lines; none where it cannot be read."""
    try:
        return file.read_text(errors="replace").splitlines()
    except OSError:
        return ()


def first_line(file: Path) -> str | None:
    """Its first line without blanks around it."""
    return next((line.strip() for line in lines_of(file)), None)


def field_of(file: Path, name: str, separator: str = ":") -> str | None:
    """Value of the line `name: value`."""
    for line in lines_of(file):
        key, _, value = line.partition(separator)
        if key == name:
            return value.strip()
    return None


def number_of(text: str | None) -> int | None:
    """A whole number; `None` for anything else, such as the word "max"."""
    try:
        return int(text or "")
    except ValueError:
        return None


def names_in(folder: Path) -> tuple[str, ...]:
    """What a folder holds, sorted; nothing where it cannot be looked into."""
    try:
        return tuple(sorted(entry.name for entry in folder.iterdir()))
    except OSError:
        return ()
