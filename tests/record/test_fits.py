"""Fits as a record tells them, also one from before Trainers were numbered, and one that is read from its index."""

from __future__ import annotations

from typing import Any

from lightning_tui.record.events import (
    AnyEvent,
    ExceptionRaised,
    FitEnd,
    Metrics,
    Points,
    Progress,
    StageChanged,
    TrainerSeen,
)
from lightning_tui.record.fits import FitLog
from tests.record.events import make


def told(*events: AnyEvent, attempt: int = 0, log: FitLog | None = None) -> FitLog:
    """The fits after these events, stored and restored at each of them."""
    log = log or FitLog()
    for event in events:
        log.apply(attempt, event)
        log = FitLog.restored(log.state())
    return log


def setup(**trainer: Any) -> list[AnyEvent]:
    return [make(StageChanged, stage="setup"), make(TrainerSeen, **trainer)]


def training(first: int, last: int, **trainer: Any) -> list[AnyEvent]:
    steps = list(range(first + 1, last + 1))
    return [
        *setup(**trainer),
        make(StageChanged, stage="train", global_step=first),
        make(Progress, global_step=last, batch=10, max_epochs=1),
        make(Metrics, epoch=0, series={"loss": Points(steps, [float(step) for step in steps])}),
    ]


def evaluation(stage: Any, **trainer: Any) -> list[AnyEvent]:
    return [
        *setup(**trainer),
        make(StageChanged, stage=stage),
        make(Progress, stage=stage, global_step=0, batch=3, max_epochs=9),
        make(Metrics, epoch=0, series={stage: Points([0], [1.0])}),
    ]


END = make(FitEnd)
DONE = make(StageChanged, stage="done")
RAISED = make(ExceptionRaised)


def test_a_record_without_numbers_tells_its_fits_by_their_stages() -> None:
    log = told(*training(0, 10), END, DONE, *evaluation("predict"), DONE, *setup(), RAISED, *training(0, 5))
    assert [(fit.number, fit.word, fit.last_step) for fit in log.fits] == [
        (1, "finished", 10),
        (2, "failed", None),
        (3, "running", 5),
    ]


def test_an_evaluation_stands_at_the_end_of_the_fit_before() -> None:
    log = told(*training(0, 10, number=1, call="fit"), END, DONE, *evaluation("test", number=2, call="test"))
    (fit,) = log.fits
    assert (fit.metrics["test"].last_step, fit.progress and fit.progress.global_step) == (10, 10)
    assert log.evaluation is not None
    assert fit.trainer is not None
    assert fit.trainer.number == 1
    assert told(DONE, log=log).evaluation is None


def test_what_is_evaluated_first_belongs_to_the_first_fit() -> None:
    log = told(*evaluation("validate", number=1, call="validate"), DONE)
    assert (log.current.began_at, log.current.progress and log.current.progress.batch) == (None, 3)
    log = told(*training(0, 10, number=1, call="fit"), log=log)
    assert [(fit.number, sorted(fit.metrics)) for fit in log.fits] == [(1, ["loss", "validate"])]


def test_a_trial_of_a_finder_is_no_fit() -> None:
    log = told(*training(0, 100, number=1, call="fit"), DONE, *training(0, 10, number=1, call="fit"), END)
    assert [(fit.number, fit.word, fit.metrics["loss"].count) for fit in log.fits] == [(1, "finished", 10)]


def test_a_trainer_that_was_set_back_begins_another_fit() -> None:
    log = told(*training(0, 10, number=1, call="fit"), END, DONE, *training(4, 6, number=1, call="fit"))
    assert [(fit.number, fit.last_step) for fit in log.fits] == [(1, 10), (2, 6)]


def test_a_restart_goes_on_in_the_fits_of_the_same_numbers() -> None:
    first = [*training(0, 10, number=1, call="fit"), END, DONE, *training(0, 7, number=2, call="fit")]
    log = told(*training(10, 10, number=1, call="fit"), END, DONE, attempt=1, log=told(*first))
    assert (log.count, log.current.number) == (2, 1)
    log = told(*training(5, 10, number=2, call="fit"), END, attempt=1, log=log)
    assert (log.count, log.current.number, log.current.metrics["loss"].count) == (2, 2, 12)


def test_values_of_an_attempt_before_still_count() -> None:
    log = told(*training(0, 5), attempt=1)
    log = told(make(Metrics, epoch=0, series={"loss": Points([6], [1.0])}), END, attempt=0, log=log)
    assert (log.current.metrics["loss"].last_step, log.current.word) == (6, "running")
