"""The run directory: where everything of a run lies, and the facts about it that never change (`run.json`)."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lightning_tui.files import write_whole
from lightning_tui.record.events import FORMAT_VERSION, FieldValue
from lightning_tui.refusal import RefusalError

RUN_VARIABLE = "LIGHTNING_TUI_RUN_DIR"
"""Environment variable with the absolute run directory. Every process of a run inherits it: it is the run's marker."""

ATTEMPT_VARIABLE = "LIGHTNING_TUI_ATTEMPT"

RESUME_VARIABLE = "LIGHTNING_TUI_RESUME_FROM"
"""The checkpoint that an attempt after a failed one goes on from; it takes the place of the plan's `ckpt_path`."""


class RecordError(RefusalError):
    """A run directory that cannot be read, written or understood; the message is for people."""


class ProgramRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The program as it was given, and what it was resolved to."""

    label: str
    """Short name for the screen: `train.py`, `chemprop train`."""
    given: list[str]
    """What stood after `--`, secrets masked."""
    folder: str
    """Working directory of the run."""
    interpreter: str


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`run.json`: written once, before anything starts."""

    format_version: int = FORMAT_VERSION
    id: str
    created_at: float
    program: ProgramRecord
    plan: dict[str, FieldValue]
    """Only the fields that the user set."""
    parent: str | None = None
    resumed_from: str | None = None
    """The checkpoint that a relaunch has put into the plan's `ckpt_path`; `None` where a person typed that, or none."""
    made_by: str = ""
    environment: dict[str, str] = {}
    """A few facts about the machine, for people."""
    max_restarts: int = 0
    """How often in a row, without getting on, the supervisor may start the program again after a failure."""


class _Version(msgspec.Struct):
    format_version: int = FORMAT_VERSION


class RunDirectory:
    """Paths of one run. Making one touches nothing on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"RunDirectory({str(self.path)!r})"

    @property
    def id(self) -> str:
        """The run's id is its folder's name."""
        return self.path.name

    @property
    def supervisor(self) -> Path:
        return self.path / "supervisor"

    @property
    def commands(self) -> Path:
        return self.path / "commands"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def supervisor_log(self, node: int) -> Path:
        return self.supervisor / f"{node}.jsonl"

    def supervisor_lock(self, node: int) -> Path:
        return self.supervisor / f"{node}.lock"

    def supervisor_stderr(self, node: int) -> Path:
        """What a supervisor says when it breaks itself."""
        return self.supervisor / f"{node}.stderr"

    def attempt(self, number: int) -> Path:
        return self.path / f"attempt-{number}"

    def events(self, attempt: int) -> Path:
        return self.attempt(attempt) / "events"

    def output(self, attempt: int, rank: int) -> Path:
        return self.attempt(attempt) / "output" / f"{rank}.log"

    def attempts(self) -> list[int]:
        """Numbers of the attempts on disk, in order."""
        return sorted(
            int(entry.name.removeprefix("attempt-"))
            for entry in _entries(self.path)
            if re.fullmatch(r"attempt-\d{1,9}", entry.name)
        )

    def outputs(self, attempt: int) -> dict[int, Path]:
        """Output file of each rank of an attempt, by rank."""
        files = _entries(self.attempt(attempt) / "output")
        found = {int(f.name[:-4]): Path(f.path) for f in files if re.fullmatch(r"\d{1,9}\.log", f.name)}
        return dict(sorted(found.items()))

    def create(self, record: RunRecord) -> None:
        """Make the folders (0700) and write `run.json` (0600).

        Raises:
            RecordError: the place cannot be written, or the run exists already.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.mkdir(mode=0o700)
            for folder in (self.supervisor, self.commands, self.checkpoints):
                folder.mkdir(mode=0o700)
            self.prepare_attempt(0)
            write_whole(self.path / "run.json", msgspec.json.format(msgspec.json.encode(record), indent=2))
        except OSError as error:
            raise RecordError(
                f"The run directory {self.path} cannot be created: {error.strerror or error}. "
                "Choose another place with --home PATH or LIGHTNING_TUI_HOME."
            ) from error

    def prepare_attempt(self, number: int) -> None:
        """Make the folders of an attempt.

        Raises:
            OSError: the run directory cannot be written.
        """
        for folder in (self.attempt(number), self.events(number), self.attempt(number) / "output"):
            folder.mkdir(mode=0o700, exist_ok=True)

    def read_record(self) -> RunRecord:
        """Read `run.json`.

        Raises:
            RecordError: it is missing, broken, or of a newer format than this version knows.
        """
        path = self.path / "run.json"
        try:
            text = path.read_bytes()
            version = msgspec.json.decode(text, type=_Version).format_version
            if version > FORMAT_VERSION:  # whose fields may be others
                raise RecordError(
                    f"{path} has format version {version}; this lightning-tui reads up to "
                    f"{FORMAT_VERSION}. Update lightning-tui to watch this run."
                )
            record = msgspec.json.decode(text, type=RunRecord)
        except OSError as error:
            raise RecordError(f"{path} cannot be read: {error.strerror or error}.") from error
        except msgspec.DecodeError as error:
            raise RecordError(f"{path} is not a valid run record: {error}.") from error
        # A folder that was copied or renamed by hand is a run of its own, and goes by the name that it can be found by.
        return msgspec.structs.replace(record, id=self.id)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return


def supervisor_alive(directory: RunDirectory) -> bool:
    """Whether any supervisor of the run lives: its lock is held as long as it does (no pid is guessed)."""
    return any(_is_locked(Path(e.path)) for e in _entries(directory.supervisor) if e.name.endswith(".lock"))


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def boot_id() -> str | None:
    """The kernel's name for this boot: pids mean something only within it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() or None
    except OSError:
        return None


def process_belongs(pid: int, directory: RunDirectory) -> bool:
    """Whether `pid` lives on this host and carries the run's marker; a zombie has none and does not count."""
    marker = os.fsencode(f"{RUN_VARIABLE}={directory.path}")
    try:
        return marker in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
