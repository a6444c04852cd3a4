"""Which runs does the list show, in which order, and what of each? A frozen value, and pure functions of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from lightning_tui.record import UnreadableRun
from lightning_tui.record.summaries import RunSummary
from lightning_tui.services.runs import ListedRun
from lightning_tui.text.units import plural
from lightning_tui.ui.words import tail_of_id

UNREADABLE = "unreadable"


# ---------------------------------------------------------------------------------------------------------- one run


def state_of(run: ListedRun) -> str:
    """The state's word, or `unreadable`."""
    return UNREADABLE if isinstance(run, UnreadableRun) else run.state.value


def is_over(run: ListedRun) -> bool:
    """Whether nothing more will come of it."""
    return isinstance(run, UnreadableRun) or run.is_over


def label_of(run: RunSummary) -> str:
    """What it is called: its name, else its program."""
    return run.name or run.program or run.id


def title_of(run: ListedRun) -> str:
    """Name or program, and the end of its id: `train.py #7f3a01`."""
    return run.id if isinstance(run, UnreadableRun) else f"{label_of(run)} {tail_of_id(run.id)}"


def titles_of(runs: Sequence[ListedRun]) -> str:
    """The title of one run, or how many there are."""
    return title_of(runs[0]) if len(runs) == 1 else plural(len(runs), "run")


def fraction_of(run: RunSummary) -> float | None:
    """How much of its fit is done, 0 to 1."""
    return run.progress.fraction if run.progress is not None else None


def took_s(run: RunSummary, now: float) -> float | None:
    """How long it took, or has taken so far; `None` where it is over and nobody saw when that was."""
    if run.started_at is None or (run.is_over and run.ended_at is None):
        return None
    return max(0.0, (run.ended_at or now) - run.started_at)


def total_size(runs: Iterable[ListedRun]) -> int:
    """Bytes of all of them, as far as that is known."""
    return sum(run.size or 0 for run in runs if isinstance(run, RunSummary))


# ------------------------------------------------------------------------------------------------------------ orders


class SortOrder(NamedTuple):
    """A way to sort."""

    name: str
    words: str
    value: Callable[[RunSummary, float], float | None]
    """What is not known stands last."""
    sign: int = -1
    """1: the smallest value stands first; -1: the largest one."""


def _badness(run: RunSummary, now: float) -> float | None:
    """The best value, negative where more is better: losses are comparable, and so are accuracies."""
    if run.metric is None or run.metric.best is None:
        return None
    return -run.metric.best if run.metric.mode == "max" else run.metric.best


_STATES = ("training", "validating", "starting", "queued", "stopping", "paused", "lost", "failed", "killed", "stopped")

ORDERS: tuple[SortOrder, ...] = (
    SortOrder("when", "newest first", lambda run, now: run.created_at),
    SortOrder("best", "best value first", _badness, 1),
    SortOrder("took", "longest first", took_s),
    SortOrder("size", "largest first", lambda run, now: run.size),
    SortOrder(
        "state", "by state", lambda run, now: _STATES.index(run.state) if run.state in _STATES else len(_STATES), 1
    ),
)
"""Ways to sort; the first one is how the screen opens."""


def ordered(runs: Iterable[ListedRun], order: SortOrder, now: float) -> list[ListedRun]:
    """The runs in this order; of equal ones the newest first, and those that cannot be read at the very end."""

    def key(run: ListedRun) -> tuple[bool, bool, float, float]:
        if isinstance(run, UnreadableRun):
            return True, True, 0.0, 0.0
        found = order.value(run, now)
        if found is None or math.isnan(found):
            return False, True, 0.0, -run.created_at
        return False, False, order.sign * found, -run.created_at

    return sorted(runs, key=key)


def matching(runs: Iterable[ListedRun], text: str) -> list[ListedRun]:
    """Runs in whose state, program, folder, name, note or id every word of the text stands."""
    wanted = text.lower().split()
    return [run for run in runs if all(word in _words(run) for word in wanted)]


def _words(run: ListedRun) -> str:
    if isinstance(run, UnreadableRun):
        return f"{UNREADABLE} {run.id}".lower()
    return f"{run.state.value} {run.program} {run.name or ''} {run.note or ''} {run.id} {run.folder}".lower()


# ---------------------------------------------------------------------------------------------------------- the list


class Listing(NamedTuple):
    """All runs, and what a person chose of them."""

    runs: tuple[ListedRun, ...] = ()
    is_complete: bool = False
    """Whether all of them have been read."""
    problem: str = ""
    """Why the runs home cannot be read."""
    order: SortOrder = ORDERS[0]
    filter: str = ""
    marked: tuple[str, ...] = ()
    """Directories of the marked runs, in the order in which they were marked."""

    def read(self, runs: tuple[ListedRun, ...], is_complete: bool) -> Listing:
        """These are the runs now; once all are read, a mark goes with its run."""
        known = {run.directory for run in runs} if is_complete else set(self.marked)
        marked = tuple(directory for directory in self.marked if directory in known)
        return self._replace(runs=runs, is_complete=is_complete, problem="", marked=marked)

    def sorted_next(self) -> Listing:
        """In the order that follows."""
        return self._replace(order=ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)])

    def toggled(self, run: ListedRun) -> Listing:
        """The run marked, or its mark taken away."""
        others = tuple(one for one in self.marked if one != run.directory)
        return self._replace(marked=others if len(others) < len(self.marked) else (*others, run.directory))

    @property
    def readable(self) -> list[RunSummary]:
        """Those that can be read."""
        return [run for run in self.runs if isinstance(run, RunSummary)]

    def shown(self, now: float) -> list[ListedRun]:
        """The runs in which the words stand that are looked for, in order."""
        return ordered(matching(self.runs, self.filter), self.order, now)

    def chosen(self, current: ListedRun | None) -> list[ListedRun]:
        """The marked runs; where none is marked, the current one."""
        marked = [run for run in self.runs if run.directory in self.marked]
        return marked or ([current] if current is not None else [])

    def compared(self, current: ListedRun | None) -> list[RunSummary]:
        """The marked runs in the order of their marks; where it is one alone, the current one is the second."""
        found = [run for run in self.readable if run.directory in self.marked]
        found.sort(key=lambda run: self.marked.index(run.directory))
        if len(found) == 1 and isinstance(current, RunSummary) and current not in found:
            found.append(current)
        return found

    def kin(self, run: ListedRun) -> list[RunSummary]:
        """The run's children, and its parent where that is there."""
        parent = run.parent if isinstance(run, RunSummary) else None
        return [one for one in self.readable if one.parent == run.id or one.id == parent]

    def children_left(self, runs: Iterable[ListedRun]) -> list[RunSummary]:
        """The children of these runs that are not among them."""
        doomed = {run.id for run in runs}
        return [run for run in self.readable if run.parent in doomed and run.id not in doomed]

    def waiting(self, home: str) -> str:
        """What is said where no run is shown."""
        if self.problem:
            return self.problem
        if self.filter and self.runs:
            return f"No run has {self.filter!r} in its state, program, name, note or id."
        return f"There are no runs in {home} yet." if self.is_complete else "reading the runs …"
