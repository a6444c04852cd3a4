"""Several Trainers in one program, through the real shim: each fit has its own progress, curves, fields and end."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from lightning_tui.diagnosis.live import advice_of_run
from lightning_tui.record import RunSnapshot, read_snapshot
from lightning_tui.record.exports import write_metrics

from .running import PROGRAMS, Outcome, run_in_run

pytestmark = pytest.mark.e2e


def of_program(place: Path, name: str, code: int = 0) -> tuple[Outcome, RunSnapshot]:
    outcome = run_in_run(place, [str(PROGRAMS / "fits.py"), name])
    assert outcome.code == code, outcome.errors
    return outcome, read_snapshot(outcome.directory)


def test_folds_are_fits_of_their_own(tmp_path: Path) -> None:
    outcome, run = of_program(tmp_path, "folds")
    assert [fit.number for fit in run.fits] == [5, 1, 2, 3, 4]
    assert [fit.state for fit in run.fits] == ["finished"] * 5
    assert run.fit_count == 5
    for fit in run.fits:
        assert fit.trainer is not None
        assert fit.trainer.fields["gradient_clip_val"].actual == fit.number
        assert fit.progress is not None
        assert (fit.progress.global_step, fit.progress.fraction, fit.progress.epoch) == (8, 1.0, 1)
        steps = list(fit.metrics["train_loss"].bins().steps)
        assert steps == sorted(steps) == [*range(1, 9)]
        assert fit.metrics["test_loss"].last_step == 8, "a Trainer that only evaluates stands at the end of that fit"
    assert run.progress == run.fits[0].progress
    assert run.metrics["train_loss"].highest == run.fits[0].metrics["train_loss"].highest
    assert run.trainer == run.fits[0].trainer
    assert [advice.id for advice in advice_of_run(outcome.directory, run) if advice.id.startswith("loss-spike")] == []
    table = io.StringIO()
    write_metrics(outcome.directory, "csv", table)
    rows = [line.split(",") for line in table.getvalue().splitlines()]
    assert rows[0][-1] == "fit"
    assert [row[-1] for row in rows if row[0] == "val_loss"] == [str(fold) for fold in range(1, 6) for _ in range(2)]


def test_what_is_predicted_after_the_fit_leaves_its_progress(tmp_path: Path) -> None:
    _, run = of_program(tmp_path, "predict")
    (fit,) = run.fits
    assert (fit.number, fit.state) == (1, "finished")
    assert run.progress is not None
    assert (run.progress.global_step, run.progress.fraction, run.progress.max_epochs) == (8, 1.0, 2)
    assert [rank.global_step for rank in run.ranks] == [8]
    assert run.trainer is not None
    assert run.trainer.fields["max_epochs"].actual == 2
    assert run.metrics["val_loss"].bins().steps[0] == 0, "what was validated before it is at its beginning"


def test_trainers_that_take_turns_are_two_fits(tmp_path: Path) -> None:
    _, run = of_program(tmp_path, "turns")
    assert [(fit.number, fit.state) for fit in run.fits] == [(2, "finished"), (1, "finished")]
    for fit in run.fits:
        assert list(fit.metrics["train_loss"].bins().steps) == [*range(1, 13)]


def test_a_sweep_tells_which_fits_were_caught(tmp_path: Path) -> None:
    _, run = of_program(tmp_path, "sweep")
    told = [(fit.number, fit.state, fit.exception) for fit in run.fits]
    assert told == [
        (5, "finished", None),
        (1, "caught", "ValueError"),
        (2, "finished", None),
        (3, "caught", "RuntimeError"),
        (4, "caught", "ValueError"),
    ]
    by_number = {fit.number: fit for fit in run.fits}
    assert by_number[1].progress is not None
    assert by_number[1].progress.global_step == 3
    assert by_number[3].progress is not None
    assert by_number[3].progress.stage == "setup"
    assert by_number[3].metrics == {}


def test_of_very_many_those_between_are_counted(tmp_path: Path) -> None:
    _, run = of_program(tmp_path, "many")
    assert [fit.number for fit in run.fits] == [20, *range(1, 9), *range(13, 20)]
    assert run.fit_count == 20
    assert run.fits_left_out == {"finished": 4}


def test_the_fit_that_fails_is_the_current_one(tmp_path: Path) -> None:
    _, run = of_program(tmp_path, "broken", 1)
    assert [(fit.number, fit.state, fit.exception) for fit in run.fits] == [
        (2, "failed", "ValueError"),
        (1, "finished", None),
    ]
