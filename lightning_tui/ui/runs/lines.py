"""What the list knows of a run, one line of it; and which lines are shown, in which order."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from lightning_tui.record.directory import RunDirectory
from lightning_tui.ui.words import tail_of_id

UNREADABLE = "unreadable"


class Value(NamedTuple):
    """A metric's value; `step` where that is known."""

    name: str
    value: float
    step: int | None = None


class RunLine(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the list. Sizes in bytes, times in UTC epoch seconds; `None` is not known."""

    id: str
    directory: str
    state: str
    """The state's word, or `unreadable`."""
    detail: str = ""
    """One sentence where there is more to say than the state; of an unreadable run, why it is."""
    program: str = ""
    name: str = ""
    """What a person called it."""
    note: str = ""
    parent: str | None = None
    created_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    fraction: float | None = None
    best: Value | None = None
    last: Value | None = None
    """The last value of what `best` is the best of; also where nobody knows which way is better."""
    is_more_better: bool = False
    """Whether the best value is the highest one."""
    folder: str = ""
    size: int | None = None
    is_over: bool = True
    """Whether nothing more will come of it."""

    @property
    def is_readable(self) -> bool:
        """Whether it is a run that this version understands."""
        return self.state != UNREADABLE

    @property
    def run(self) -> RunDirectory:
        """Where it lies."""
        return RunDirectory(Path(self.directory))

    @property
    def label(self) -> str:
        """What it is called: its name, else its program."""
        return self.name or self.program or self.id

    def title(self) -> str:
        """Name or program, and the end of its id: `train.py #7f3a01`."""
        return f"{self.label} {tail_of_id(self.id)}" if self.is_readable else self.id

    def took_s(self, now: float) -> float | None:
        """How long it took, or has taken so far; `None` where it is over and nobody saw when that was."""
        if self.started_at is None or (self.is_over and self.ended_at is None):
            return None
        return max(0.0, (self.ended_at or now) - self.started_at)


class Order(NamedTuple):
    """A way to sort."""

    name: str
    words: str
    key: Callable[[RunLine, float], float | None]
    """Small values stand first; what is not known stands last."""


def _by(value: Callable[[RunLine, float], float | None]) -> Callable[[RunLine, float], float | None]:
    """The largest first."""

    def key(line: RunLine, now: float) -> float | None:
        found = value(line, now)
        return -found if found is not None else None

    return key


_STATES = ("training", "validating", "starting", "queued", "stopping", "paused", "lost", "failed", "killed", "stopped")

ORDERS: tuple[Order, ...] = (
    Order("when", "newest first", _by(lambda line, now: line.created_at)),
    Order("best", "best value first", lambda line, now: _badness(line)),
    Order("took", "longest first", _by(lambda line, now: line.took_s(now))),
    Order("size", "largest first", _by(lambda line, now: line.size)),
    Order("state", "by state", lambda line, now: _STATES.index(line.state) if line.state in _STATES else len(_STATES)),
)
"""Ways to sort; the first one is how the screen opens."""


def _badness(line: RunLine) -> float | None:
    """The best value, negative where more is better: losses are comparable, and so are accuracies."""
    if line.best is None:
        return None
    return -line.best.value if line.is_more_better else line.best.value


def ordered(lines: Sequence[RunLine], order: Order, now: float) -> list[RunLine]:
    """The lines in this order; of equal ones the newest first, and those that cannot be read at the very end."""

    def key(line: RunLine) -> tuple[bool, bool, float, float]:
        found = order.key(line, now)
        is_known = found is not None and not math.isnan(found)
        return not line.is_readable, not is_known, (found or 0.0) if is_known else 0.0, -(line.created_at or 0.0)

    return sorted(lines, key=key)


def matching(lines: Sequence[RunLine], text: str) -> list[RunLine]:
    """Lines in whose state, program, folder, name, note or id every word of the text stands."""
    wanted = text.lower().split()
    if not wanted:
        return list(lines)
    return [line for line in lines if all(word in _words(line) for word in wanted)]


def _words(line: RunLine) -> str:
    return f"{line.state} {line.program} {line.name} {line.note} {line.id} {line.folder}".lower()


def total_size(lines: Collection[RunLine]) -> int:
    """Bytes of all of them, as far as that is known."""
    return sum(line.size or 0 for line in lines)
