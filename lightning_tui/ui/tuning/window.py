"""The window that tunes a program: choose what to look for, watch the search, see the result, take it into the plan."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from lightning_tui.refusal import RefusalError
from lightning_tui.services.tuning import Goal
from lightning_tui.text.units import count, number, plural, short_duration, size
from lightning_tui.ui.drawing.canvas import Canvas, frame
from lightning_tui.ui.drawing.rows import EMPTY, Row, dots, fill, selected, wrap
from lightning_tui.ui.threads import Worker
from lightning_tui.ui.tuning.rate_chart import LEAST_HEIGHT, RateMark, rate_chart
from lightning_tui.ui.windows.window import FittedWindow, hint

if TYPE_CHECKING:
    from textual.message import Message

    from lightning_tui.plan.model import Plan
    from lightning_tui.plan.tuning import BatchSizeResult, LearningRateResult, Trial, TuningStep
    from lightning_tui.services.programs import ProgramChoice
    from lightning_tui.ui.services import TuningSearch

TICK_S = 0.1
_JOIN_S = 3.0
_WIDTH = 96
_HEIGHTS: dict[Goal | None, int] = {None: 9, "batch-size": 24, "lr": 30}
"""By what is looked for, `None` before that is chosen."""

_GOALS: tuple[tuple[Goal, str, str], ...] = (
    ("batch-size", "Batch size", "the largest that fits on one device"),
    ("lr", "Learning rate", "the loss while the learning rate grows from 1e-8 to 1"),
)
_WARNING = (
    "This runs the program's own code up to fit, and there Lightning's Tuner on one device instead of the training. "
    "The code after fit does not run; checkpoints and loggers are off."
)


class TuningThread(Worker):
    """One search. What it has come to is left here, for a timer to draw."""

    def __init__(
        self, search: TuningSearch, goal: Goal, program: ProgramChoice, plan: Plan, post: Callable[[Message], object]
    ) -> None:
        super().__init__(f"tuning {program.label}", post)
        self.steps: list[TuningStep] = []
        """Grows."""
        self.result: BatchSizeResult | LearningRateResult | None = None
        self.refusal: str | None = None
        self.is_over = False
        self._search = search
        self._asked = (goal, program, plan)

    def _body(self) -> None:
        try:
            self.result = self._search(*self._asked, self.steps.append, self._stop.is_set)
        except RefusalError as error:
            self.refusal = str(error)
        finally:
            self.is_over = True


Begin = Callable[[Goal], TuningThread]


class TuningWindow(FittedWindow["dict[str, object]"]):
    """Its answer is what to change in the plan; nothing when it is closed. Closing it ends the search."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", show=False),
        Binding("enter", "go_on", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
    ]

    def __init__(self, label: str, begin: Begin) -> None:
        """`begin` makes the thread of a search, not yet started."""
        super().__init__()
        self.part = self.board = Board(label)
        self._begin = begin

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(TICK_S, self.tick)

    def on_unmount(self) -> None:
        if self.board.search is not None:
            self.board.search.stop()
            self.board.search.join(_JOIN_S)

    def tick(self) -> None:
        if self.board.search is not None:
            self._fit()
            self.board.redraw()

    def action_move(self, lines: int) -> None:
        self.board.move(lines)

    def action_go_on(self) -> None:
        """Begin, or take the result."""
        search = self.board.search
        if search is None:
            self.board.search = search = self._begin(self.board.goal)
            self.board.since = time.monotonic()
            search.start()
            self.tick()
        elif search.is_over:
            self.dismiss(getattr(search.result, "changes", None))

    def wanted_size(self, screen_width: int) -> tuple[int, int]:
        return _WIDTH, _HEIGHTS[self.board.goal if self.board.search is not None else None]


class Board(Canvas, can_focus=True):
    """What the window shows."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.search: TuningThread | None = None
        self.since = 0.0
        self._label = label
        self._cursor = 0

    @property
    def goal(self) -> Goal:
        return _GOALS[self._cursor][0]

    def move(self, lines: int) -> None:
        if self.search is None:
            self._cursor = max(0, min(len(_GOALS) - 1, self._cursor + lines))
            self.redraw()

    def rows(self, width: int, height: int) -> list[Row]:
        inner, room = width - 6, height - 2
        body = self._choice(inner) if self.search is None else self._search_rows(self.search, inner, room)
        title: Row = ((f"Tune {self._label}", "text+b"),)
        return frame(
            [((" ", "text"), *row) for row in body], width, height, title=title, facts=self._keys(), is_focused=True
        )

    def _keys(self) -> Row:
        search = self.search
        if search is None:
            return hint(("enter", "begin"), ("esc", "close"))
        if not search.is_over:
            return hint(("esc", "cancel"))
        if getattr(search.result, "changes", None):
            return hint(("enter", "add to the plan"), ("esc", "close"))
        return hint(("esc", "close"))

    def _choice(self, width: int) -> list[Row]:
        rows: list[Row] = [EMPTY]
        for place, (_, title, what) in enumerate(_GOALS):
            row = fill(((f" {title:<15}", "text"), (what, "dim")), width)
            rows.append(selected(row) if place == self._cursor else row)
        return [*rows, EMPTY, *wrap(_WARNING, width, "dim")]

    def _search_rows(self, search: TuningThread, width: int, height: int) -> list[Row]:
        from lightning_tui.plan.tuning import BatchSizeResult, LearningRateResult

        result = search.result
        if isinstance(result, BatchSizeResult):
            return batch_size_rows(result, width, height)
        if isinstance(result, LearningRateResult):
            return rate_rows(result, width, height)
        if search.is_over:
            return _refusal_rows(search.refusal, width)
        return self._progress_rows(search, width, height)

    def _progress_rows(self, search: TuningThread, width: int, height: int) -> list[Row]:
        from lightning_tui.plan.tuning import Begun, Point, Trial

        steps = list(search.steps)
        begun = next((step for step in steps if isinstance(step, Begun)), None)
        trials = [step for step in steps if isinstance(step, Trial)]
        points = [(step.lr, float(step.loss)) for step in steps if isinstance(step, Point)]
        took = short_duration(time.monotonic() - self.since)
        if begun is None:
            return [EMPTY, (("● ", "accent"), (f"{self._label} runs up to its fit", "text"), (f"   {took}", "dim"))]
        facts = [begun.device_name, begun.precision]
        if begun.max_trials is not None:
            facts.append(f"at most {plural(begun.max_trials, 'trial')}")
        if begun.memory_limit is not None:
            facts.append(f"memory up to {size(begun.memory_limit)}")
        head: list[Row] = [EMPTY, (("● ", "accent"), *dots(*facts), (f"   {took}", "dim")), EMPTY]
        if points:
            rate, loss = points[-1]
            now = dots(f"point {count(len(points))}", f"rate {number(rate)}", f"loss {number(loss)}")
            return [*head, *rate_chart(points, (), width, height - len(head) - 2), EMPTY, now]
        return [*head, *trial_rows(trials, height - len(head))]


def _refusal_rows(refusal: str | None, width: int) -> list[Row]:
    if refusal is None:
        return [EMPTY, (("The search was interrupted.", "bad+b"),)]
    return [EMPTY, (("No result", "bad+b"),), EMPTY, *wrap(refusal, width)]


def trial_rows(trials: list[Trial], height: int) -> list[Row]:
    """One line for each size tried, the newest ones where there are many; a trial that has ended replaces its begin."""
    newest = {trial.number: trial for trial in trials}
    return [_trial_row(trial) for trial in list(newest.values())[-max(1, height) :]]


def _trial_row(trial: Trial) -> Row:
    word, token = {"running": ("… running", "accent"), "ok": ("✔ fits", "good"), "failed": ("✖ too large", "bad")}[
        trial.status
    ]
    row: Row = ((f"{count(trial.batch_size):>7}  ", "text"), (f"{word:<12}", token))
    if trial.memory is not None:
        row = (*row, (f"{size(trial.memory):>9}", "text"), (" peak", "dim"))
    if trial.seconds is not None:
        row = (*row, (f"{number(trial.seconds):>9} s", "dim"))
    if trial.real_size not in (None, trial.batch_size):
        row = (*row, (f"   batches of {count(trial.real_size or 0)}", "warn"))
    return row


def batch_size_rows(result: BatchSizeResult, width: int, height: int) -> list[Row]:
    """The size, what to know of it, and the trials as far as there is room."""
    own: Row = (
        (("   the program's own: ", "dim"), (count(result.own_size), "text")) if result.own_size is not None else EMPTY
    )
    head: list[Row] = [EMPTY, (("Batch size ", "dim"), (count(result.batch_size), "accent+b"), *own), EMPTY]
    notes = _notes(result.notes, width)
    room = height - len(head) - len(notes) - 1
    trials = trial_rows(list(result.trials), room) if room > 1 else []
    return [*head, *trials, *([EMPTY] if trials else []), *notes]


def rate_rows(result: LearningRateResult, width: int, height: int) -> list[Row]:
    """The suggestion, the curve, and what to know of it."""
    marks = []
    head: Row = (("No suggestion", "warn+b"),)
    if result.suggestion is not None:
        token = "warn" if result.is_doubtful else "good"
        marks.append(RateMark(result.suggestion, "▲", token))
        head = (("▲ ", token), (number(result.suggestion), f"{token}+b"), (" Lightning's rule", "dim"))
    if result.steepest is not None:
        marks.append(RateMark(result.steepest, "◆", "good"))
        head = (*head, ("    ◆ ", "good"), (number(result.steepest), "good+b"), (" steepest on a log axis", "dim"))
    notes = _notes(result.notes, width)
    room = height - len(notes) - 4
    if room < LEAST_HEIGHT:
        notes = notes[: max(0, height - 4 - LEAST_HEIGHT)]
        room = height - len(notes) - 4
    return [EMPTY, head, EMPTY, *rate_chart(result.points, marks, width, room), EMPTY, *notes]


def _notes(notes: list[str], width: int) -> list[Row]:
    rows: list[Row] = []
    for note in notes:
        lines = wrap(note, width - 2, "dim")
        rows += [((("· " if place == 0 else "  "), "dim"), *line) for place, line in enumerate(lines)]
    return rows
