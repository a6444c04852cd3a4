"""Which fits has a program run, and what has each come to? What global rank 0 says, folded Trainer by Trainer.

A fit is a call of `Trainer.fit`. What the same Trainer trains later belongs to the same one; what is evaluated after a
fit belongs to its end, and before the first to its beginning. A program without a fit has one that has not begun.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import singledispatchmethod
from typing import Literal, TypeAlias, TypeGuard

import msgspec

from lightning_tui.record.events import (
    AnyEvent,
    ExceptionRaised,
    FitEnd,
    Metrics,
    Number,
    Progress,
    StageChanged,
    TrainerSeen,
)
from lightning_tui.record.pace import Pace, PaceState, epochs_of
from lightning_tui.record.series import Series, SeriesState, Timeline, TimelineState
from lightning_tui.record.state import is_stop_exception

FIRST_KEPT, LAST_KEPT = 8, 8
"""So many fits are kept from the first on and up to the newest; of those between, how they ended is counted."""

FitWord: TypeAlias = Literal["running", "finished", "stopped", "caught", "failed"]
"""`caught`: an exception ended it, and the program went on; `failed`: the same, and it did not."""

_FIT_STAGES = ("sanity_check", "train")
_EVALUATION_STAGES = ("validate", "test", "predict")


class FitState(msgspec.Struct):
    """All of a fit, to be stored."""

    number: int
    attempt: int
    trainer: TrainerSeen | None
    progress: Progress | None
    metrics: dict[str, SeriesState]
    timeline: TimelineState
    pace: PaceState
    fraction: float | None
    last_step: int | None
    end: FitEnd | None
    raised: str | None
    began_at: float | None
    ended_at: float | None
    is_trial: bool


class FitLogState(msgspec.Struct):
    """All fits that are kept, and where in them the program is, to be stored."""

    fits: list[FitState]
    count: int
    left_out: dict[str, int]
    attempt: int
    begun: int
    call: Literal["fit", "evaluation"] | None
    target: int
    """Number of the fit that the call belongs to."""
    went_on: bool
    introduced: TrainerSeen | None
    evaluation: Progress | None


class Fit:
    """What one fit has come to."""

    def __init__(self, number: int, attempt: int) -> None:
        self.number = number
        self.attempt = attempt
        self.trainer: TrainerSeen | None = None
        self.progress: Progress | None = None
        self.metrics: dict[str, Series] = {}
        self.timeline = Timeline()
        self.pace = Pace()
        self.fraction: float | None = None
        """Share of it that is done, 0 to 1."""
        self.last_step: int | None = None
        self.end: FitEnd | None = None
        self.raised: str | None = None
        """Type of the exception that left it."""
        self.began_at: float | None = None
        self.ended_at: float | None = None
        self.is_trial = False
        """Whether it was left with neither its end nor an exception, as Lightning's finders leave their trials."""

    @property
    def word(self) -> FitWord:
        """How it stands, by what it said itself."""
        if self.end is not None:
            return "finished" if self.end.finished else "stopped"
        if self.raised is not None:
            return "stopped" if is_stop_exception(self.raised) else "failed"
        return "stopped" if self.is_trial else "running"

    def note_place(self, event: Progress) -> None:
        """Take where training is."""
        self.last_step = event.global_step
        self.timeline.add(event.global_step, epochs_of(event), event.time)

    def add(self, event: Metrics, least_step: int | None) -> None:
        """Take values; those of steps before the least one are put there."""
        for name, points in event.series.items():
            series = self.metrics.setdefault(name, Series())
            values, steps = points.values, points.steps
            if least_step is not None:
                steps = [max(step, least_step) for step in steps]
            series.extend(steps, values if _are_floats(values) else [_number(value) for value in values])

    def state(self) -> FitState:
        """All of it, to be stored."""
        values = {name: getattr(self, name) for name in FitState.__struct_fields__}
        metrics = {name: series.state() for name, series in self.metrics.items()}
        return FitState(
            **{**values, "metrics": metrics, "timeline": self.timeline.state(), "pace": self.pace.state()},
        )

    @classmethod
    def restored(cls, state: FitState) -> Fit:
        """The fit that was stored."""
        fit = cls(state.number, state.attempt)
        for name in FitState.__struct_fields__:
            setattr(fit, name, getattr(state, name))
        fit.metrics = {name: Series.restored(each) for name, each in state.metrics.items()}
        fit.timeline, fit.pace = Timeline.restored(state.timeline), Pace.restored(state.pace)
        return fit


class FitLog:
    """The fold: `apply` each event of global rank 0 once."""

    def __init__(self) -> None:
        self.fits = [Fit(1, 0)]
        """In the order in which they trained last; the current one at the end."""
        self.count = 1
        self.left_out: Counter[str] = Counter()
        """How those ended that are kept no more."""
        self.evaluation: Progress | None = None
        """Of an evaluation after a fit, while it goes on."""
        self._attempt = 0
        self._begun = 0
        """Fits of this attempt."""
        self._call: Literal["fit", "evaluation"] | None = None
        self._target = self.fits[0]
        self._went_on = False
        """Whether the call is of a Trainer that has trained before, and has not trained in this call yet."""
        self._introduced: TrainerSeen | None = None

    @property
    def current(self) -> Fit:
        """The fit that trained last."""
        return self.fits[-1]

    @property
    def number(self) -> int:
        """Number of the fit that what comes now belongs to."""
        return self._target.number

    def apply(self, attempt: int, event: AnyEvent) -> None:
        """Take an event; of an attempt before the newest one, values still count."""
        if attempt > self._attempt:
            self._attempt, self._begun, self.current.progress, self.current.fraction = attempt, 0, None, None
            self._next_call()
        if attempt == self._attempt or isinstance(event, Metrics):
            self._apply(event)

    @singledispatchmethod
    def _apply(self, event: AnyEvent) -> None:
        """Events that change nothing here are fine."""

    @_apply.register
    def _(self, event: TrainerSeen) -> None:
        if self._call is None and event.call is not None:
            self._is_fit(event) if event.call == "fit" else self._is_evaluation(event)
        elif self._call is None:
            self._introduced = event  # a record that does not say what was called: the stages will
        if self._call == "fit" or self._target.began_at is None:
            self._target.trainer = event

    @_apply.register
    def _(self, event: StageChanged) -> None:
        if event.stage == "setup":
            self._next_call()
        elif event.stage == "done":
            fit, self.evaluation = self._target, None
            fit.is_trial = self._call == "fit" and fit.end is None and fit.raised is None
        else:
            self._enters(event)

    @_apply.register
    def _(self, event: Progress) -> None:
        self._enters(event)
        if self._call == "evaluation" and self._target.began_at is not None:
            self.evaluation = event
            return
        self._target.progress = event
        if event.stage == "train":
            self._target.fraction = _fraction_of_fit(event)
            self._target.note_place(event)

    @_apply.register
    def _(self, event: Metrics) -> None:
        self._target.add(event, self._target.last_step if self._call == "evaluation" else None)

    @_apply.register
    def _(self, event: ExceptionRaised) -> None:
        if self._call is None and self._introduced is not None and event.hook in ("setup", *_FIT_STAGES):
            self._is_fit(self._introduced)
        if self._call == "fit" and event.hook is not None:
            self._target.raised, self._target.ended_at = event.type, event.time

    @_apply.register
    def _(self, event: FitEnd) -> None:
        fit = self._target
        fit.end, fit.ended_at = event, event.time
        fit.fraction = 1.0 if event.finished else fit.fraction

    def _next_call(self) -> None:
        self._call, self._introduced, self.evaluation, self._went_on = None, None, None, False
        self._target = self.current

    def _enters(self, event: StageChanged | Progress) -> None:
        if self._call is None and event.stage in _FIT_STAGES:
            self._is_fit(self._introduced, event.time)
        elif self._call is None and event.stage in _EVALUATION_STAGES:
            self._is_evaluation(self._introduced)
        if self._went_on and event.stage == "train":
            self._went_on = False
            if event.global_step < (self._target.last_step or 0):  # the Trainer was set back: it is another fit
                trainer, self._target = self._target.trainer, self._new()
                self._begin(trainer, event.time)

    def _is_evaluation(self, trainer: TrainerSeen | None) -> None:
        self._call = "evaluation"
        self._target = self._of_trainer(trainer) or self.current

    def _is_fit(self, trainer: TrainerSeen | None, time: float | None = None) -> None:
        self._call, self._begun = "fit", self._begun + 1
        self._target = self._found(trainer) or self._new()
        self._begin(trainer, time if trainer is None else trainer.time)

    def _begin(self, trainer: TrainerSeen | None, time: float | None) -> None:
        fit = self._target
        fit.attempt, fit.end, fit.raised, fit.ended_at, fit.is_trial = self._attempt, None, None, None, False
        fit.trainer = trainer or fit.trainer
        fit.began_at = time if fit.began_at is None else fit.began_at
        if time is not None:
            fit.pace.restarts()
            fit.pace.enters("setup", time)

    def _found(self, trainer: TrainerSeen | None) -> Fit | None:
        """The fit that goes on: one that has not begun, that of an attempt before, or that of the same Trainer."""
        current = self.current
        if current.began_at is None:
            return current
        if current.is_trial:
            self.fits.pop()
            self.count -= 1
            return None
        before = (fit for fit in self.fits if fit.number == self._begun and fit.attempt < self._attempt)
        found, same = next(before, None), self._of_trainer(trainer)
        self._went_on = found is None and same is not None
        found = found or same
        if found is not None:
            self.fits.remove(found)
            self.fits.append(found)
        return found

    def _of_trainer(self, trainer: TrainerSeen | None) -> Fit | None:
        if trainer is None or not trainer.number:
            return None
        mine = (fit for fit in reversed(self.fits) if fit.attempt == self._attempt and fit.trainer is not None)
        return next((fit for fit in mine if fit.trainer and fit.trainer.number == trainer.number), None)

    def _new(self) -> Fit:
        self.count += 1
        self.fits.append(Fit(self.count, self._attempt))
        if len(self.fits) > FIRST_KEPT + LAST_KEPT:
            word = self.fits.pop(FIRST_KEPT).word
            self.left_out["caught" if word == "failed" else "stopped" if word == "running" else word] += 1
        return self.current

    def state(self) -> FitLogState:
        """All of it, to be stored."""
        return FitLogState(
            [fit.state() for fit in self.fits], self.count, dict(self.left_out), self._attempt, self._begun,
            self._call, self._target.number, self._went_on, self._introduced, self.evaluation,
        )  # fmt: skip

    @classmethod
    def restored(cls, state: FitLogState) -> FitLog:
        """What was stored.

        Raises:
            ValueError: it is damaged.
        """
        log = cls()
        if not state.fits:
            raise ValueError("stored fits without a fit")
        log.fits, log.count, log.left_out = (
            [Fit.restored(fit) for fit in state.fits],
            state.count,
            Counter(state.left_out),
        )
        log._attempt, log._begun, log._call, log._went_on = state.attempt, state.begun, state.call, state.went_on
        log._introduced, log.evaluation = state.introduced, state.evaluation
        log._target = next((fit for fit in log.fits if fit.number == state.target), log.current)
        return log


def _fraction_of_fit(progress: Progress) -> float | None:
    """Share of the whole fit that is done: Lightning ends at whichever of its limits comes first."""
    shares = []
    if progress.max_steps and progress.max_steps > 0:
        shares.append(progress.global_step / progress.max_steps)
    if progress.max_epochs and progress.max_epochs > 0 and progress.total_batches:
        shares.append((progress.epoch + progress.batch / progress.total_batches) / progress.max_epochs)
    return min(1.0, max(shares)) if shares else None


def _are_floats(values: Sequence[Number]) -> TypeGuard[Sequence[float]]:
    return all(type(value) is float for value in values)


def _number(value: Number) -> float:
    return value if isinstance(value, float | int) else math.nan if value == "nan" else float(value)
