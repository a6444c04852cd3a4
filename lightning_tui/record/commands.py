"""Commands to a run: one small file each, written whole and renamed into place, answered by an `ack` event."""

from __future__ import annotations

import getpass
import os
import secrets
import time
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

Operation: TypeAlias = Literal["stop", "kill", "checkpoint"]


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asked of a run."""

    id: str
    op: Operation
    time: float
    by: str
    """Who asked, as `user@host pid`."""
    after: Literal["batch", "epoch"] = "batch"
    """For `stop`: finish this batch, or this epoch."""


def new_command(op: Operation, *, after: Literal["batch", "epoch"] = "batch") -> Command:
    """Make a command of this process, now."""
    by = f"{_user()}@{os.uname().nodename} {os.getpid()}"
    return Command(id=secrets.token_hex(4), op=op, time=time.time(), by=by, after=after)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run us under a number that has no name
        return str(os.getuid())


def write_command(folder: Path, command: Command) -> Path:
    """Put the command where the run looks for it.

    Raises:
        OSError: the folder cannot be written.
    """
    path = folder / f"{int(command.time * 1000):015d}-{command.id}.json"
    partial = path.with_suffix(".partial")
    partial.write_bytes(msgspec.json.encode(command))
    partial.chmod(0o600)
    partial.rename(path)
    return path


def read_commands(folder: Path, seen: set[str]) -> list[Command]:
    """Read the commands whose file names are not in `seen`, oldest first, and add them to it.

    A file that is no command is skipped: somebody else's file must not stop a run from being stopped.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".json"))
    except FileNotFoundError:
        return []
    commands = []
    for name in names:
        if name in seen:
            continue
        seen.add(name)
        try:
            commands.append(msgspec.json.decode((folder / name).read_bytes(), type=Command))
        except (OSError, msgspec.DecodeError):
            continue
    return commands
