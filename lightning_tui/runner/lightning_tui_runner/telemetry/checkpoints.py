"""Notice every checkpoint that the Trainer has completed, whoever asked for it."""

from __future__ import annotations

import functools
import os
import time
from typing import Any

from ..process.joining import current_reporter
from ..process.tracebacks import leave_no_frame

_WATCHED = "__lightning_tui_watches_checkpoints__"


class SavedCheckpoint:
    """A save that the Trainer has returned from. With an asynchronous writer the file may come later."""

    def __init__(self, path: str, before: tuple[int, ...] | None, seconds: float) -> None:
        self.path = path
        self.seconds = seconds
        self._before = before

    @property
    def is_complete(self) -> bool:
        """Whether it is there; Lightning moves a file into place when it is whole. Remote ones are taken on trust."""
        return "://" in self.path or stamp(self.path) not in (None, self._before)

    @property
    def is_gone(self) -> bool:
        """Whether it was deleted since: `save_top_k` keeps the best only. Remote ones are taken on trust."""
        return "://" not in self.path and not os.path.exists(self.path)

    def size(self) -> int | None:
        """Bytes on disk, of all files where it is a folder; `None` for a remote one."""
        if not os.path.isdir(self.path):
            return os.path.getsize(self.path) if os.path.exists(self.path) else None
        return sum(
            os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(self.path) for name in names
        )


def watch_checkpoints(trainer_class: Any) -> None:
    """Wrap `save_checkpoint` of the class, once; what was saved is told to the Trainer's telemetry callback."""
    if _WATCHED in trainer_class.__dict__:
        return
    original = trainer_class.save_checkpoint

    @functools.wraps(original)
    def save_checkpoint(self: Any, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        if os.path.basename(filepath).startswith("."):  # Lightning's finders put the model aside, and back
            return original(self, filepath, *args, **kwargs)
        begun = time.perf_counter()
        before = stamp(filepath)
        path = os.path.abspath(filepath) if _is_local(filepath) else str(filepath)
        _report_saving(path)
        try:
            result = original(self, filepath, *args, **kwargs)
        except BaseException as error:
            leave_no_frame(error)
            raise
        finally:
            _report_saving(path, is_over=True)
        saved = SavedCheckpoint(path, before, 0.0)
        saved.seconds = time.perf_counter() - begun
        for callback in self.callbacks:
            tell = getattr(callback, "on_checkpoint_saved_for_lightning_tui", None)
            if tell is not None:
                tell(self, saved)
        return result

    trainer_class.save_checkpoint = save_checkpoint
    setattr(trainer_class, _WATCHED, True)


def _report_saving(path: str, *, is_over: bool = False) -> None:
    """Say that a checkpoint is being written, which may take minutes: a stop waits for it."""
    reporter = current_reporter()
    if reporter is not None and reporter.rank == 0:
        reporter.say("saving", path=path, is_over=is_over)


def stamp(path: Any) -> tuple[int, ...] | None:
    """What changes when a file or folder is written anew; `None` where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError, TypeError):
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _is_local(path: Any) -> bool:
    return "://" not in str(path)
