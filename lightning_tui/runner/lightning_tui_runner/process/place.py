"""Which run is this process part of, and as which rank?"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping

RUN_VARIABLE = "LIGHTNING_TUI_RUN_DIR"
ATTEMPT_VARIABLE = "LIGHTNING_TUI_ATTEMPT"
RESUME_VARIABLE = "LIGHTNING_TUI_RESUME_FROM"


class Place:
    """The parts of a run directory that the training side uses."""

    def __init__(self, directory: str, attempt: int) -> None:
        self.directory = directory
        self.commands = os.path.join(directory, "commands")
        self.checkpoints = os.path.join(directory, "checkpoints")
        self._attempt = os.path.join(directory, f"attempt-{attempt}")
        self.events = os.path.join(self._attempt, "events")

    def output(self, rank: int) -> str:
        return os.path.join(self._attempt, "output", f"{rank}.log")

    def record(self) -> dict[str, object]:
        """Read `run.json`.

        Raises:
            OSError, ValueError: it cannot be read, or is no JSON object.
        """
        import json  # not needed by a program that runs outside of any run

        with open(os.path.join(self.directory, "run.json"), encoding="utf-8") as file:
            record = json.load(file)
        if not isinstance(record, dict):
            raise ValueError("run.json is no object")
        return record

    def shown_arguments(self, words: list[str]) -> list[str]:
        """Return the program's words as they may be written down: the run's record has them with secrets masked."""
        try:
            program = self.record()["program"]
            given = program["given"] if isinstance(program, dict) else None
        except (OSError, ValueError, KeyError):
            given = None
        return [str(word) for word in given] if isinstance(given, list) else words[:1]


def find_place(environ: Mapping[str, str]) -> Place | None:
    """Return the run that the environment names; `None` outside of any."""
    directory = environ.get(RUN_VARIABLE)
    return Place(directory, _whole(environ.get(ATTEMPT_VARIABLE)) or 0) if directory else None


class Identity:
    """Who this process is among the processes of the run."""

    def __init__(self, rank: int, local_rank: int, node_rank: int, world_size: int | None) -> None:
        self.rank = rank
        self.local_rank = local_rank
        self.node_rank = node_rank
        self.world_size = world_size

    def as_fields(self, argv: list[str]) -> dict[str, object]:
        """The fields of the event `hello`."""
        return {
            "rank": self.rank,
            "local_rank": self.local_rank,
            "node_rank": self.node_rank,
            "world_size": self.world_size,
            "host": os.uname().nodename,
            "pid": os.getpid(),
            "started_at": _process_started_at(),
            "executable": sys.executable,
            "python": ".".join(map(str, sys.version_info[:3])),
            "argv": argv,
        }


def find_identity(environ: Mapping[str, str]) -> Identity:
    """Read the rank as the launchers give it: torchrun's, Slurm's, else Lightning's own."""
    local = _whole(environ.get("LOCAL_RANK"))
    slurm_local = _whole(environ.get("SLURM_LOCALID"))
    rank = _whole(environ.get("RANK"))
    if rank is None and local in (None, slurm_local):
        # A rank that Lightning itself started inside an interactive Slurm step carries that step's variables too.
        rank = _whole(environ.get("SLURM_PROCID"))
    if local is None:
        local = slurm_local or 0
    return Identity(
        rank=local if rank is None else rank,
        local_rank=local,
        node_rank=_first(environ, "GROUP_RANK", "NODE_RANK", "SLURM_NODEID") or 0,
        world_size=_first(environ, "WORLD_SIZE", "SLURM_NTASKS"),
    )


def _first(environ: Mapping[str, str], *names: str) -> int | None:
    return next((number for name in names if (number := _whole(environ.get(name))) is not None), None)


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and text.isascii() else None


def _process_started_at() -> float:
    """When this process started, UTC epoch seconds; with the pid it names the process for good."""
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        with open("/proc/stat", "rb") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith(b"btime "))
        return booted + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration):
        return time.time()
