"""What has been asked of the run and nobody has taken yet: the files of `commands/`, as global rank 0 reads them."""

from __future__ import annotations

import json
import os
from typing import Any

_NOT_OURS = "kill"  # the supervisor alone carries it out


class CommandFolder:
    """Hands out each command once: a mark beside its file keeps a later process of the run from taking it again."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: set[str] = set()

    def take_new(self) -> list[dict[str, Any]]:
        """Return the new commands, oldest first. A file that is no command is passed over."""
        try:
            names = sorted(entry.name for entry in os.scandir(self._path) if entry.name.endswith(".json"))
        except OSError:
            return []
        new = [name for name in names if name not in self._seen]
        self._seen.update(new)
        commands = [command for name in new if (command := self._read(name)) is not None]
        return [command for command in commands if command["op"] != _NOT_OURS]

    def _read(self, name: str) -> dict[str, Any] | None:
        path = os.path.join(self._path, name)
        try:
            with open(path, "rb") as file:
                command = json.loads(file.read())
        except (OSError, ValueError):
            return None
        if not isinstance(command, dict) or not all(isinstance(command.get(key), str) for key in ("id", "op")):
            return None
        return command if _is_marked_first(path.removesuffix(".json") + ".taken") else None


def _is_marked_first(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    except OSError:
        return True  # a full disk must not keep a run from being stopped
    return True
