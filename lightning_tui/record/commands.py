"""Commands to a run: one small file each, written whole and renamed into place, answered by an `ack` event."""

from __future__ import annotations

import getpass
import math
import os
import secrets
import time
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from lightning_tui.files import write_whole
from lightning_tui.refusal import UsageError

Operation: TypeAlias = Literal["stop", "kill", "checkpoint", "pause", "resume", "validate", "set-lr", "log-level"]
After: TypeAlias = Literal["batch", "epoch", "validation"]
Level: TypeAlias = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")


class CommandError(UsageError, ValueError):
    """A command that makes no sense; the message names the value, and what is allowed."""


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody asked of a run."""

    id: str
    op: Operation
    time: float
    by: str
    """Who asked, as `user@host pid`."""
    after: After = "batch"
    """For `stop`: finish this batch, this epoch, or the next validation."""
    patience_s: float | None = None
    """For `stop`: how long the run has to save and end before SIGTERM; `None`: as the run was started with."""
    term_patience_s: float | None = None
    """For `stop`: how long it has after SIGTERM before SIGKILL; `None`: as the run was started with."""
    value: float | None = None
    """For `set-lr`: the learning rate."""
    group: int | None = None
    """For `set-lr`: number of the parameter group, from 0, counted over all optimizers; `None` for all of them."""
    level: Level | None = None
    """For `log-level`."""

    @property
    def asker(self) -> str:
        """Who asked, without the process: `ada@node1`."""
        return self.by.partition(" ")[0]


def new_command(
    op: Operation,
    *,
    after: After = "batch",
    value: float | None = None,
    group: int | None = None,
    level: Level | None = None,
    patience_s: float | None = None,
    term_patience_s: float | None = None,
) -> Command:
    """Make a command of this process, now; the arguments are the command's fields.

    Raises:
        CommandError: it makes no sense.
    """
    if op == "set-lr" and (value is None or not math.isfinite(value) or value <= 0):
        raise CommandError(f"{value} is not a learning rate. Allowed: a number above 0, such as 3e-4.")
    if group is not None and group < 0:
        raise CommandError(f"{group} is not a parameter group. Allowed: 0 or more.")
    if op == "log-level" and level not in LEVELS:
        raise CommandError(f"{level} is not a log level. Allowed: {', '.join(LEVELS)}.")
    return Command(
        id=secrets.token_hex(4),
        op=op,
        time=time.time(),
        by=f"{_user()}@{os.uname().nodename} {os.getpid()}",
        after=after,
        value=value,
        group=group,
        level=level,
        patience_s=patience_s,
        term_patience_s=term_patience_s,
    )


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
    write_whole(path, msgspec.json.encode(command))
    return path


def read_commands(folder: Path, seen: set[str]) -> list[Command]:
    """Read the commands whose file names are not in `seen`, oldest first, and add them to it.

    A file that is no command is skipped: somebody else's file must not stop a run from being stopped.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".json"))
    except OSError:
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
