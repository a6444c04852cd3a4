"""What a person says of a run: a name and a note, in `notes.json` of the run directory. It steers nothing."""

from __future__ import annotations

import msgspec

from lightning_tui.files import write_whole
from lightning_tui.record.directory import RecordError, RunDirectory

FILE = "notes.json"
LONGEST_NAME = 60
LONGEST_NOTE = 4000


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """Both `None` where nothing was said."""

    name: str | None = None
    note: str | None = None


def read_notes(directory: RunDirectory) -> Notes:
    """What was said; nothing where the file is missing, broken or edited beyond reading."""
    try:
        notes = msgspec.json.decode((directory.path / FILE).read_bytes(), type=Notes)
    except (OSError, msgspec.DecodeError):
        return Notes()
    return Notes(name=_cut(notes.name, LONGEST_NAME), note=_cut(notes.note, LONGEST_NOTE))


def set_name(directory: RunDirectory, name: str) -> Notes:
    """Give the run a name, by which it is then found; empty text takes the name away.

    Raises:
        RecordError: too long, or with signs that cannot be printed; or the run directory cannot be written.
    """
    plain = name.strip()
    if len(plain) > LONGEST_NAME or not plain.isprintable():
        raise RecordError(f"{plain[:80]!r} is not a valid name. Allowed: up to {LONGEST_NAME} printable characters.")
    return _write(directory, msgspec.structs.replace(read_notes(directory), name=plain or None))


def set_note(directory: RunDirectory, note: str) -> Notes:
    """Note something of the run, instead of what was noted before; empty text takes it away.

    Raises:
        RecordError: too long; or the run directory cannot be written.
    """
    plain = note.strip()
    if len(plain) > LONGEST_NOTE:
        raise RecordError(f"The note has {len(plain)} characters. Allowed: up to {LONGEST_NOTE}.")
    return _write(directory, msgspec.structs.replace(read_notes(directory), note=plain or None))


def _write(directory: RunDirectory, notes: Notes) -> Notes:
    try:
        write_whole(directory.path / FILE, msgspec.json.format(msgspec.json.encode(notes), indent=2))
    except OSError as error:
        raise RecordError(f"{directory.path / FILE} cannot be written: {error.strerror or error}.") from error
    return notes


def _cut(text: str | None, length: int) -> str | None:
    return text[:length] if text else None
